#include "supervisor/log_sink.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

namespace pgherd::supervisor {

namespace {

constexpr std::size_t kMaxWaiting = 1024 * 1024;

constexpr int kTurn = 100;        // milliseconds, after which a writer looks whether it is to end
constexpr int kLastChance = 500;  // milliseconds without a reader, at the end

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
        ++untold_;
        count_lost(service, 1);
        return;
    }
    if (untold_ > 0) {
        const std::string text = fmt::format("(... {} lines lost: standard output is too slow ...)", untold_);
        formatter_.append_text(waiting_, service, {line.time, 0, text});
        untold_ = 0;
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

RotatedLogFiles::RotatedLogFiles(EventLoop& loop, LogFileOptions options, Log& log)
    : loop_(loop), log_(log), files_(std::make_shared<LogFiles>(std::move(options))) {}

RotatedLogFiles::~RotatedLogFiles() {
    worker_.reset();
    const WallTime now = loop_.clock().wall();
    if (handed_) static_cast<void>(write_all(*files_, *handed_, now));
    static_cast<void>(write_all(*files_, waiting_, now));
}

void RotatedLogFiles::write(std::string_view service, const LogLine& line) {
    auto place = waiting_.find(service);
    if (place == waiting_.end()) place = waiting_.try_emplace(std::string(service)).first;
    if (waiting_bytes_ > kMaxWaiting) {
        ++place->second.lost;
        count_lost(service, 1);
        return;
    }
    std::string& text = place->second.text;
    const std::size_t before = text.size();
    formatter_.append_text(text, service, line);
    waiting_bytes_ += text.size() - before;
}

RotatedLogFiles::Outcomes RotatedLogFiles::write_all(LogFiles& files, const Batches& batches, WallTime now) {
    Outcomes outcomes;
    for (const auto& [service, batch] : batches)
        if (auto outcome = files.write(service, batch, now); outcome.lost > 0 || !outcome.news.empty())
            outcomes.emplace_back(service, std::move(outcome));
    return outcomes;
}

void RotatedLogFiles::account(const Outcomes& outcomes) {
    for (const auto& [service, outcome] : outcomes) {
        count_lost(service, outcome.lost);
        if (outcome.news.empty()) continue;
        if (outcome.failing)
            log_.warning("log-file", outcome.news);
        else
            log_.info("log-file", outcome.news);
    }
}

void RotatedLogFiles::flush() {
    if (writing_ || waiting_.empty()) return;
    if (!worker_) worker_ = std::make_unique<Worker>(loop_, "log-files");
    handed_ = std::make_shared<Batches>(std::move(waiting_));
    waiting_.clear();
    waiting_bytes_ = 0;
    writing_ = worker_->run(
        [files = files_, all = handed_, now = loop_.clock().wall()] {
            Outcomes outcomes = write_all(*files, *all, now);
            all->clear();
            return outcomes;
        },
        [this](const Outcomes& outcomes) {
            writing_ = false;
            account(outcomes);
            flush();
        });
}

}  // namespace pgherd::supervisor
