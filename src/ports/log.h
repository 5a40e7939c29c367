// What happened, for people and for machines. An event has a stable name; text is for people and nobody
// parses it. Secrets never go into either.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgherd {

enum class LogLevel { debug, info, warning, error };

struct LogEvent {
    LogLevel level = LogLevel::info;
    std::string_view name;  // "decision", "lock-acquired", "postgres-started", …: a literal
    std::string text;
    std::vector<std::pair<std::string_view, std::string>> fields;
};

class Log {
  public:
    virtual ~Log() = default;
    virtual void write(const LogEvent& event) = 0;

    void debug(std::string_view name, std::string text) {
        write({LogLevel::debug, name, std::move(text), {}});
    }
    void info(std::string_view name, std::string text) { write({LogLevel::info, name, std::move(text), {}}); }
    void warning(std::string_view name, std::string text) {
        write({LogLevel::warning, name, std::move(text), {}});
    }
    void error(std::string_view name, std::string text) {
        write({LogLevel::error, name, std::move(text), {}});
    }
};

}  // namespace pgherd
