#include "supervisor/log_hub.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <list>
#include <queue>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "process/pipe.h"
#include "supervisor/log_lines.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kReadSize = 64 * 1024;
constexpr int kReadsPerTurn = 4;  // from one writer
// Of the loop's time, before others have theirs.
constexpr Duration kIntakeShare = std::chrono::microseconds(200);
constexpr Duration kReadersShare = std::chrono::microseconds(200);

}  // namespace

// One process's pipe.
class LogWriterPipe {
  public:
    LogWriterPipe(asio::io_context& context, Descriptor descriptor, Duration drain, Turns& turns)
        : stream(context, descriptor.release()), drain_limit(drain), turn(turns) {}
    asio::posix::stream_descriptor stream;
    Duration drain_limit;
    Timer drain;
    LineSplitter lines;
    Turn turn;
};

class LogHub::Core : public std::enable_shared_from_this<Core> {
  public:
    struct Service {
        explicit Service(std::size_t size) : ring(size) {}
        LogRing ring;
        std::list<std::shared_ptr<LogWriterPipe>> writers;
    };
    using Services = std::map<std::string, Service, std::less<>>;

    Core(EventLoop& event_loop, std::size_t size) : loop(event_loop), ring_size(size) {}

    Services::value_type& service(const std::string& name);
    void wait(Services::value_type& entry, std::shared_ptr<LogWriterPipe> writer);
    void take(Services::value_type& entry, const std::shared_ptr<LogWriterPipe>& writer);
    bool take_some(Services::value_type& entry, LogWriterPipe& writer, int reads);
    void end(Services::value_type& entry, const std::shared_ptr<LogWriterPipe>& writer);
    void append(Services::value_type& entry, std::string_view text, WallTime now);
    void appended(const Services::value_type& entry);

    EventLoop& loop;
    std::size_t ring_size;
    bool closed = false;
    Services services;  // never fewer: readers point to them
    std::vector<LogReader*> readers;
    Turns intake_turns{loop, kIntakeShare};
    Turns reader_turns{loop, kReadersShare};
    std::uint64_t sequence = 0;
    std::vector<std::shared_ptr<LogOutput>> outputs;
    std::array<char, kReadSize> buffer;
};

LogHub::Core::Services::value_type& LogHub::Core::service(const std::string& name) {
    const auto [found, is_new] = services.try_emplace(name, ring_size);
    if (is_new)
        for (LogReader* reader : readers)
            if (reader->wants(name))
                reader->add(found->first, found->second.ring, found->second.ring.oldest());
    return *found;
}

void LogHub::Core::wait(Services::value_type& entry, std::shared_ptr<LogWriterPipe> writer) {
    auto& stream = writer->stream;
    stream.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [self = shared_from_this(), &entry, writer = std::move(writer)](boost::system::error_code error) {
            if (error || self->closed) return;
            writer->turn.request([core = self.get(), &entry, weak = std::weak_ptr(writer)] {
                if (const auto alive = weak.lock()) core->take(entry, alive);
            });
        });
}

void LogHub::Core::take(Services::value_type& entry, const std::shared_ptr<LogWriterPipe>& writer) {
    if (take_some(entry, *writer, kReadsPerTurn))
        wait(entry, writer);
    else
        end(entry, writer);
}

// Whether more may come.
bool LogHub::Core::take_some(Services::value_type& entry, LogWriterPipe& writer, int reads) {
    const WallTime now = loop.clock().wall();
    bool ended = false;
    bool any = false;
    while (reads-- > 0) {
        const ssize_t got = ::read(writer.stream.native_handle(), buffer.data(), buffer.size());
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
        ended = got <= 0;
        if (ended) break;
        any = true;
        writer.lines.feed({buffer.data(), static_cast<std::size_t>(got)},
                          [&](std::string_view line) { append(entry, line, now); });
        if (static_cast<std::size_t>(got) < buffer.size()) break;
    }
    if (any) appended(entry);
    return !ended;
}

void LogHub::Core::end(Services::value_type& entry, const std::shared_ptr<LogWriterPipe>& writer) {
    bool any = false;
    writer->lines.finish([&](std::string_view line) {
        append(entry, line, loop.clock().wall());
        any = true;
    });
    if (any) appended(entry);
    boost::system::error_code ignored;
    writer->stream.close(ignored);
    writer->drain.reset();
    entry.second.writers.remove(writer);
}

void LogHub::Core::append(Services::value_type& entry, std::string_view text, WallTime now) {
    const LogLine line{now, ++sequence, text};
    entry.second.ring.append(line);
    for (const auto& output : outputs) output->write(entry.first, line);
}

void LogHub::Core::appended(const Services::value_type& entry) {
    for (const auto& output : outputs) output->flush();
    for (LogReader* reader : readers)
        if (reader->then_ && reader->wants(entry.first))
            reader->turn_.request(std::exchange(reader->then_, nullptr));
}

void LogOutput::count_lost(std::string_view service, std::uint64_t lines) {
    auto place = lost_.find(service);
    if (place == lost_.end()) place = lost_.try_emplace(std::string(service)).first;
    place->second += lines;
}

LogHub::LogHub(EventLoop& loop, std::size_t ring_size) : core_(std::make_shared<Core>(loop, ring_size)) {}

LogHub::~LogHub() {
    core_->closed = true;
    for (auto& [name, service] : core_->services)
        for (const auto& writer : service.writers) {
            boost::system::error_code ignored;
            writer->stream.close(ignored);
            writer->drain.reset();
        }
}

Result<int> LogHub::open_writer(const std::string& service, Duration drain) {
    PGHERD_TRY(Pipe pipe, make_pipe(OurEnd::reads));
    auto& entry = core_->service(service);
    const auto writer = std::make_shared<LogWriterPipe>(core_->loop.context(), std::move(pipe.ours), drain,
                                                        core_->intake_turns);
    entry.second.writers.push_back(writer);
    core_->wait(entry, writer);
    return pipe.childs.release();
}

void LogHub::process_ended(const std::string& service) {
    auto& entry = core_->service(service);
    for (const auto& writer : entry.second.writers) {
        if (writer->drain) continue;
        const Instant end = core_->loop.clock().now() + writer->drain_limit;
        writer->drain =
            core_->loop.clock().call_at(end, [core = core_.get(), &entry, weak = std::weak_ptr(writer)] {
                if (const auto alive = weak.lock()) core->end(entry, alive);
            });
    }
}

void LogHub::take_rest() {
    constexpr int kReads = 64;  // who still writes is not waited for
    for (auto& entry : core_->services) {
        const auto writers = entry.second.writers;
        for (const auto& writer : writers) {
            static_cast<void>(core_->take_some(entry, *writer, kReads));
            core_->end(entry, writer);
        }
    }
}

void LogHub::append(const std::string& service, std::string_view text) {
    auto& entry = core_->service(service);
    LineSplitter lines;
    const WallTime now = core_->loop.clock().wall();
    const auto take = [&](std::string_view line) { core_->append(entry, line, now); };
    lines.feed(text, take);
    lines.finish(take);
    core_->appended(entry);
}

std::string LogHub::last_lines(const std::string& service, std::size_t count) const {
    const auto found = core_->services.find(service);
    if (found == core_->services.end()) return {};
    const LogRing& ring = found->second.ring;
    std::string text;
    std::string scratch;
    LogRing::Cursor cursor = ring.last(count);
    if (cursor.number > 0) text = "(...)\n";
    for (; cursor.number < ring.newest().number; ring.advance(cursor)) {
        text += ring.read(cursor, scratch).text;
        text += '\n';
    }
    return text;
}

std::vector<std::string> LogHub::services() const {
    std::vector<std::string> names;
    for (const auto& [name, service] : core_->services) names.push_back(name);
    return names;
}

void LogHub::add_output(std::shared_ptr<LogOutput> output) {
    core_->outputs.push_back(std::move(output));
}

LineCounts LogHub::lost_lines() const {
    LineCounts all;
    for (const auto& output : core_->outputs)
        for (const auto& [service, lines] : output->lost()) all[service] += lines;
    return all;
}

LogReader::LogReader(LogHub& hub, LogSelection selection)
    : core_(hub.core_), selection_(std::move(selection)), turn_(core_->reader_turns) {
    for (const auto& [name, service] : core_->services)
        if (wants(name))
            add(name, service.ring, selection_.last == 0 ? service.ring.newest() : service.ring.oldest());
    if (selection_.last > 0) start_at_last(static_cast<std::size_t>(selection_.last));
    last_sequence_ = selection_.follow ? std::numeric_limits<std::uint64_t>::max() : core_->sequence;
    core_->readers.push_back(this);
}

LogReader::~LogReader() {
    std::erase(core_->readers, this);
}

bool LogReader::wants(std::string_view service) const {
    return selection_.services.empty() || selection_.services.contains(service);
}

void LogReader::add(std::string_view service, const LogRing& ring, LogRing::Cursor from) {
    places_.push_back({service, &ring, from});
}

// The last `count` lines of all rings together are those with the largest sequence numbers.
void LogReader::start_at_last(std::size_t count) {
    std::vector<std::uint64_t> sequences;
    for (Place& place : places_) {
        place.cursor = place.ring->last(count);
        for (LogRing::Cursor at = place.cursor; at.number < place.ring->newest().number;
             place.ring->advance(at))
            sequences.push_back(place.ring->sequence_at(at));
    }
    if (sequences.size() <= count) return;
    const auto first = sequences.end() - static_cast<std::ptrdiff_t>(count);
    std::nth_element(sequences.begin(), first, sequences.end());
    for (Place& place : places_)
        while (place.cursor.number < place.ring->newest().number &&
               place.ring->sequence_at(place.cursor) < *first)
            place.ring->advance(place.cursor);
}

bool LogReader::has_next(const Place& place) const {
    if (place.cursor.number >= place.ring->newest().number) return false;
    return selection_.follow || place.cursor.number < place.ring->oldest().number ||
           place.ring->sequence_at(place.cursor) <= last_sequence_;
}

bool LogReader::behind() const {
    return std::ranges::any_of(places_, [this](const Place& place) { return has_next(place); });
}

std::size_t LogReader::read(std::size_t bytes, const Take& take) {
    std::size_t count = 0;
    std::size_t given = 0;
    using Next = std::pair<std::uint64_t, Place*>;
    std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
    for (Place& place : places_) {
        if (!has_next(place)) continue;
        if (const std::uint64_t missed = place.ring->catch_up(place.cursor); missed > 0) {
            const std::string text = fmt::format("(... {} lines lost: read too slowly ...)", missed);
            const LogLine first = place.ring->read(place.cursor, scratch_);
            take(place.service, {first.time, first.sequence, text});
            ++count;
        }
        if (!has_next(place)) continue;
        next.emplace(place.ring->sequence_at(place.cursor), &place);
    }
    while (!next.empty() && given < bytes) {
        Place& place = *next.top().second;
        next.pop();
        const LogLine line = place.ring->read(place.cursor, scratch_);
        take(place.service, line);
        given += line.text.size() + 1;
        ++count;
        place.ring->advance(place.cursor);
        if (has_next(place)) next.emplace(place.ring->sequence_at(place.cursor), &place);
    }
    return count;
}

void LogReader::when_readable(std::function<void()> then) {
    turn_.give_up();
    then_ = std::move(then);
    if (then_ && behind()) turn_.request(std::exchange(then_, nullptr));
}

void LogReader::when_turn(std::function<void()> then) {
    turn_.give_up();
    then_ = nullptr;
    turn_.request(std::move(then));
}

}  // namespace pgherd::supervisor
