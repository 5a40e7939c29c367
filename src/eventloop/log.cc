#include "eventloop/log.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "base/write_line.h"

namespace pgherd {

namespace {

constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 4> kLoudNames{"DEBUG", "INFO", "WARNING", "ERROR"};

std::string to_json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\t': out += "\\t"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20)
                    out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
                else
                    out += c;
        }
    }
    return out + '"';
}

// A value stays bare when a reader sees where it ends.
std::string to_plain_value(std::string_view text) {
    const bool bare = !text.empty() && std::ranges::none_of(text, [](char c) {
        return c == ' ' || c == '"' || c == '=' || static_cast<unsigned char>(c) < 0x20;
    });
    return bare ? std::string(text) : to_json_string(text);
}

std::string without_line_ends(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    return text;
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
    const std::string level = to_lower(text);
    if (level == "debug" || level == "notset") return LogLevel::debug;
    if (level == "info") return LogLevel::info;
    if (level == "warning" || level == "warn") return LogLevel::warning;
    if (level == "error" || level == "critical" || level == "fatal") return LogLevel::error;
    return fail(ErrorCode::invalid,
                fmt::format("unknown log level \"{}\": debug, info, warning or error", text));
}

std::string format_log_line(const LogEvent& event, std::string_view name, LogFormat format,
                            std::int64_t wall_milliseconds) {
    const std::time_t seconds = wall_milliseconds / 1000;
    const auto fraction = wall_milliseconds % 1000;
    const auto level = static_cast<std::size_t>(event.level);
    if (format == LogFormat::json) {
        std::string line = fmt::format(
            R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","name":{},"event":{},"text":{})",
            fmt::gmtime(seconds), fraction, kNames[level], to_json_string(name), to_json_string(event.name),
            to_json_string(event.text));
        for (const auto& [key, value] : event.fields)
            line += fmt::format(",{}:{}", to_json_string(key), to_json_string(value));
        return line + "}\n";
    }
    std::string line =
        fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03} UTC [{}] {} {}: {}", fmt::gmtime(seconds), fraction, name,
                    kLoudNames[level], event.name, without_line_ends(event.text));
    for (const auto& [key, value] : event.fields) line += fmt::format(" {}={}", key, to_plain_value(value));
    return line + '\n';
}

LogWriter::LogWriter(std::string name, LogLevel level, LogFormat format, int descriptor)
    : name_(std::move(name)), level_(level), format_(format), descriptor_(descriptor) {}

void LogWriter::write(const LogEvent& event) {
    if (event.level < level_) return;
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    std::string line = format_log_line(event, name_, format_, now.time_since_epoch().count());
    if (lost_ > 0)
        line = format_log_line({LogLevel::warning, "lines-lost",
                                fmt::format("{} lines before this were not taken", lost_)},
                               name_, format_, now.time_since_epoch().count()) +
               line;
    lost_ = write_line(descriptor_, line) ? 0 : lost_ + 1;
}

}  // namespace pgherd
