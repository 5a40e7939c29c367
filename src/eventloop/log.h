// The real Log: one line per event on a descriptor, as text or as JSON.
//
//     2026-11-21 10:00:00.123 UTC [c1-m1] INFO decision: no action, I am the leader rule=leader-keeps
//     {"time":"2026-11-21T10:00:00.123Z","level":"info","name":"c1-m1","event":"decision","text":"…","rule":"…"}
//
// A line is one write(2), so that the lines of several processes and threads do not mix. A descriptor that
// takes nothing at once (a full disk, a closed pipe, a reader that is stopped) loses lines; the next one that
// is taken says so.
#pragma once

#include <string>

#include "base/result.h"
#include "ports/log.h"

namespace pgherd {

enum class LogFormat { plain, json };

// "debug", "info", "warning", "error"; as Patroni and Python write them too ("WARN", "CRITICAL"), in any
// case.
Result<LogLevel> parse_log_level(std::string_view text);
std::string format_log_line(const LogEvent& event, std::string_view name, LogFormat format,
                            std::int64_t wall_milliseconds);  // since 1970, UTC; with the line end

class LogWriter final : public Log {
  public:
    // `name`: whose lines these are (the member). The descriptor stays the caller's.
    explicit LogWriter(std::string name, LogLevel level = LogLevel::info, LogFormat format = LogFormat::plain,
                       int descriptor = 2);

    void write(const LogEvent& event) override;
    void set_level(LogLevel level) { level_ = level; }

  private:
    std::string name_;
    LogLevel level_;
    LogFormat format_;
    int descriptor_;
    int lost_ = 0;  // since the last line that was taken
};

}  // namespace pgherd
