// A line of a log as text and as JSON.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/log_ring.h"

namespace pgherd::supervisor {

// Writes times of one second quickly, as neighbours in a log mostly are.
class LogTimeWriter {
  public:
    void append(std::string& target, WallTime time);  // 2026-11-21T07:46:40.228Z

  private:
    std::int64_t second_ = -1;
    std::string prefix_;
};

class LogFormatter {
  public:
    // `2026-11-21T07:46:40.228Z [service] text\n`
    void append_text(std::string& target, std::string_view service, const LogLine& line);
    // `{"time":…,"service":…,"message":…}\n`; bytes that are no UTF-8 become U+FFFD. Pebble's clients read a
    // line into 5 kB, so a message that grows beyond that by escapes becomes several.
    void append_json(std::string& target, std::string_view service, const LogLine& line);

  private:
    LogTimeWriter time_;
};

// Without the quotes. Stops before `limit` bytes were written, and gives how much of `text` that covers.
std::size_t append_json_escaped(std::string& target, std::string_view text, std::size_t limit);

}  // namespace pgherd::supervisor
