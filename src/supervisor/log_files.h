// A log file for each service, rotated by size. Blocking calls, for a thread of their own (log_sink.h).
//
// Only whole lines: what a full disk has taken of a line is cut off again. Lines that cannot be written are
// counted, and the file itself says how many as soon as it takes something again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "base/time.h"
#include "supervisor/log_format.h"

namespace pgherd::supervisor {

struct LogFileOptions {
    std::string directory;                      // must exist
    std::uint64_t max_size = 10 * 1024 * 1024;  // of one file
    unsigned keep = 5;                          // older ones: x.log.1 is the newest of them
};

// `<directory>/<service>.log`; a character that cannot be in a name becomes its number, as %2f.
class LogFiles {
  public:
    explicit LogFiles(LogFileOptions options) : options_(std::move(options)) {}

    struct Batch {
        std::string text;        // lines of a service, each with its end
        std::uint64_t lost = 0;  // behind them, before they came here
    };
    struct Outcome {
        std::uint64_t lost = 0;  // lines of the batch that could not be written
        bool failing = false;
        std::string news;  // for people, when failing begins or ends
    };
    Outcome write(const std::string& service, const Batch& batch, WallTime now);

  private:
    struct File {
        Descriptor descriptor;
        std::uint64_t size = 0;
        std::uint64_t untold = 0;  // lost lines of which it does not know yet
        std::string why;           // it could not be written at last
        bool failing = false;
    };

    std::string path_of(const std::string& service) const;
    // All of these say in `file.why` why they could not.
    bool open(const std::string& service, File& file) const;
    bool rotate(const std::string& service, File& file) const;
    static std::size_t append(File& file, std::string_view lines);
    std::string_view put(const std::string& service, File& file, std::string_view lines) const;
    bool tell(const std::string& service, File& file, WallTime now);

    LogFileOptions options_;
    LogFormatter formatter_;
    std::map<std::string, File> files_;
};

}  // namespace pgherd::supervisor
