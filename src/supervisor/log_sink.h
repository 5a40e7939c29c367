// Where lines go beside the rings: standard output, and files that are rotated by size.
//
// Both write on a thread of their own, because either may block for as long as it likes. What waits for it
// has a bound; beyond that, and when a disk is full, lines are lost. Their number is told in their place, as
// soon as something is taken again, and counted for the metrics.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "eventloop/worker.h"
#include "ports/log.h"
#include "supervisor/log_files.h"
#include "supervisor/log_format.h"
#include "supervisor/log_hub.h"

namespace pgherd::supervisor {

// `2026-11-21T07:46:40.228Z [service] text`, in whole lines.
class StandardOutputLog final : public LogOutput {
  public:
    explicit StandardOutputLog(EventLoop& loop, int descriptor = 1);
    ~StandardOutputLog() override;
    void write(std::string_view service, const LogLine& line) override;
    void flush() override;

  private:
    EventLoop& loop_;
    int descriptor_;
    LogFormatter formatter_;
    std::string waiting_;
    std::shared_ptr<std::string> handed_;  // to the thread, which takes away what it has written
    std::atomic<bool> ending_ = false;
    std::uint64_t untold_ = 0;  // lost lines
    bool writing_ = false;
    std::unique_ptr<Worker> worker_;
};

// A file that cannot be written is named in `log`, too.
class RotatedLogFiles final : public LogOutput {
  public:
    RotatedLogFiles(EventLoop& loop, LogFileOptions options, Log& log);
    ~RotatedLogFiles() override;
    void write(std::string_view service, const LogLine& line) override;
    void flush() override;

  private:
    using Batches = std::map<std::string, LogFiles::Batch, std::less<>>;      // by service
    using Outcomes = std::vector<std::pair<std::string, LogFiles::Outcome>>;  // those to speak of
    static Outcomes write_all(LogFiles& files, const Batches& batches, WallTime now);
    void account(const Outcomes& outcomes);

    EventLoop& loop_;
    Log& log_;
    LogFormatter formatter_;
    Batches waiting_;
    std::shared_ptr<Batches> handed_;  // to the thread, which takes away what it has written
    std::size_t waiting_bytes_ = 0;
    bool writing_ = false;
    std::shared_ptr<LogFiles> files_;  // the thread's
    std::unique_ptr<Worker> worker_;
};

}  // namespace pgherd::supervisor
