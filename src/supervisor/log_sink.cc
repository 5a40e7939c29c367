#include "supervisor/log_sink.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/pipe.h"

namespace pgherd::supervisor {

namespace {

constexpr std::size_t kMaxWaiting = 1024 * 1024;

constexpr int kTurn = 100;        // milliseconds, after which a writer looks whether it is to end
constexpr int kLastChance = 500;  // milliseconds without a reader, at the end

void write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

// For a pipe whose reader may have stopped: gives up, and how much was written, when nothing is taken for
// `patience` milliseconds and `ending` says so.
std::size_t write_while_taken(int descriptor, std::string_view bytes, int patience,
                              const std::atomic<bool>& ending) {
    std::size_t written = 0;
    while (written < bytes.size()) {
        pollfd writable{descriptor, POLLOUT, 0};
        if (::poll(&writable, 1, patience) <= 0) {
            if (ending) return written;
            continue;
        }
        // A pipe that can be written to takes so much without waiting.
        const std::size_t piece = std::min<std::size_t>(bytes.size() - written, PIPE_BUF);
        const ssize_t taken = ::write(descriptor, bytes.data() + written, piece);
        if (taken >= 0)
            written += static_cast<std::size_t>(taken);
        else if (errno != EAGAIN && errno != EINTR)
            return bytes.size();  // nobody will ever take it
    }
    return written;
}

std::string file_name(std::string_view service) {
    std::string name;
    for (const char c : service)
        if (c == '/' || c == '%' || (c == '.' && name.empty()) || static_cast<unsigned char>(c) < 0x20)
            name += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        else
            name += c;
    return name;
}

}  // namespace

StandardOutputLog::StandardOutputLog(EventLoop& loop, int descriptor)
    : loop_(loop), descriptor_(descriptor) {}

StandardOutputLog::~StandardOutputLog() {
    ending_ = true;
    worker_.reset();
    // What is left has a last chance, which must not hold up the end.
    const std::string rest = (handed_ ? *handed_ : std::string()) + waiting_;
    write_while_taken(descriptor_, rest, kLastChance, ending_);
}

void StandardOutputLog::write(std::string_view service, const LogLine& line) {
    if (waiting_.size() > kMaxWaiting) {
        ++lost_;
        return;
    }
    if (lost_ > 0) {
        const std::string text = fmt::format("(... {} lines lost: standard output is too slow ...)", lost_);
        formatter_.append_text(waiting_, service, {line.time, 0, text});
        lost_ = 0;
    }
    formatter_.append_text(waiting_, service, line);
}

void StandardOutputLog::flush() {
    if (writing_ || waiting_.empty()) return;
    if (!worker_) worker_ = std::make_unique<Worker>(loop_, "log-stdout");
    handed_ = std::make_shared<std::string>(std::move(waiting_));
    waiting_.clear();
    writing_ = worker_->run(
        [this, text = handed_] {  // the thread ends before this does
            text->erase(0, write_while_taken(descriptor_, *text, kTurn, ending_));
        },
        [this] {
            writing_ = false;
            flush();
        });
}

// What only the thread touches.
struct RotatedLogFiles::Files {
    struct File {
        Descriptor descriptor;
        std::uint64_t size = 0;
    };
    explicit Files(LogFileOptions given) : options(std::move(given)) {}

    std::string path(const std::string& service) const {
        return fmt::format("{}/{}.log", options.directory, file_name(service));
    }
    void open(const std::string& service, File& file) const {
        const std::string where = path(service);
        file.descriptor.reset(::open(where.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
        struct stat there{};
        file.size = file.descriptor && ::fstat(file.descriptor.get(), &there) == 0
                        ? static_cast<std::uint64_t>(there.st_size)
                        : 0;
    }
    void rotate(const std::string& service, File& file) const {
        const std::string where = path(service);
        file.descriptor.reset();
        for (unsigned number = options.keep; number > 1; --number)
            ::rename(fmt::format("{}.{}", where, number - 1).c_str(),
                     fmt::format("{}.{}", where, number).c_str());
        if (options.keep > 0)
            ::rename(where.c_str(), (where + ".1").c_str());
        else
            ::unlink(where.c_str());
        open(service, file);
    }
    // Cuts between lines.
    void write(const std::string& service, std::string_view text) {
        File& file = files[service];
        if (!file.descriptor) open(service, file);
        while (!text.empty()) {
            const std::uint64_t room = options.max_size - std::min(options.max_size, file.size);
            std::size_t take = text.size();
            if (take > room) {
                const std::size_t end = text.rfind('\n', room == 0 ? 0 : static_cast<std::size_t>(room) - 1);
                take = end == std::string_view::npos ? 0 : end + 1;
                // A line that is longer than a file has one for itself.
                if (take == 0 && file.size == 0) take = text.find('\n') + 1;
            }
            if (take == 0) {
                rotate(service, file);
                if (!file.descriptor) return;
                continue;
            }
            write_all(file.descriptor.get(), text.substr(0, take));
            file.size += take;
            text.remove_prefix(take);
        }
    }

    LogFileOptions options;
    std::map<std::string, File> files;
};

RotatedLogFiles::RotatedLogFiles(EventLoop& loop, LogFileOptions options)
    : loop_(loop), options_(std::move(options)), files_(std::make_shared<Files>(options_)) {}

RotatedLogFiles::~RotatedLogFiles() {
    worker_.reset();
    if (handed_)
        for (const auto& [service, text] : *handed_) files_->write(service, text);
    for (const auto& [service, text] : waiting_) files_->write(service, text);
}

void RotatedLogFiles::write(std::string_view service, const LogLine& line) {
    if (waiting_bytes_ > kMaxWaiting) {
        ++lost_[std::string(service)];
        return;
    }
    auto place = waiting_.find(service);
    if (place == waiting_.end()) place = waiting_.try_emplace(std::string(service)).first;
    std::string& text = place->second;
    const std::size_t before = text.size();
    if (const auto lost = lost_.find(service); lost != lost_.end()) {
        const std::string told = fmt::format("(... {} lines lost: the disk is too slow ...)", lost->second);
        formatter_.append_text(text, service, {line.time, 0, told});
        lost_.erase(lost);
    }
    formatter_.append_text(text, service, line);
    waiting_bytes_ += text.size() - before;
}

void RotatedLogFiles::flush() {
    if (writing_ || waiting_.empty()) return;
    if (!worker_) worker_ = std::make_unique<Worker>(loop_, "log-files");
    handed_ = std::make_shared<Texts>(std::move(waiting_));
    waiting_.clear();
    waiting_bytes_ = 0;
    writing_ = worker_->run(
        [files = files_, all = handed_] {
            for (const auto& [service, text] : *all) files->write(service, text);
            all->clear();
        },
        [this] {
            writing_ = false;
            flush();
        });
}

}  // namespace pgherd::supervisor
