// Where lines go beside the rings: standard output, and files that are rotated by size.
//
// Both write on a thread of their own, because either may block for as long as it likes. What waits for it
// has a bound; beyond that, lines are lost, and their number is told when there is room again.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "eventloop/worker.h"
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
    std::uint64_t lost_ = 0;
    bool writing_ = false;
    std::unique_ptr<Worker> worker_;
};

struct LogFileOptions {
    std::string directory;                      // must exist
    std::uint64_t max_size = 10 * 1024 * 1024;  // of one file
    unsigned keep = 5;                          // older ones: x.log.1 is the newest of them
};

// `<directory>/<service>.log`; a character that cannot be in a name becomes its number, as %2f.
class RotatedLogFiles final : public LogOutput {
  public:
    RotatedLogFiles(EventLoop& loop, LogFileOptions options);
    ~RotatedLogFiles() override;
    void write(std::string_view service, const LogLine& line) override;
    void flush() override;

  private:
    struct Files;                                                   // the thread's
    using Texts = std::map<std::string, std::string, std::less<>>;  // of services
    EventLoop& loop_;
    LogFileOptions options_;
    LogFormatter formatter_;
    Texts waiting_;
    std::shared_ptr<Texts> handed_;  // as above
    std::map<std::string, std::uint64_t, std::less<>> lost_;
    std::size_t waiting_bytes_ = 0;
    bool writing_ = false;
    std::shared_ptr<Files> files_;
    std::unique_ptr<Worker> worker_;
};

}  // namespace pgherd::supervisor
