#include "supervisor/log_format.h"

#include <array>
#include <ctime>
#include <limits>

#include <fmt/format.h>

#include "base/utf8.h"
#include "supervisor/log_lines.h"

namespace pgherd::supervisor {

namespace {

constexpr std::size_t kMaxEscaped = 4608;  // 5 kB less time and name

constexpr std::array<bool, 256> kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\' && c != 0x7f;
    return plain;
}();

std::size_t plain_run(std::string_view text) {
    std::size_t run = 0;
    while (run < text.size() && kPlain[static_cast<unsigned char>(text[run])]) ++run;
    return run;
}

void append_control(std::string& target, char c) {
    switch (c) {
        case '"': target += "\\\""; break;
        case '\\': target += "\\\\"; break;
        case '\t': target += "\\t"; break;
        case '\r': target += "\\r"; break;
        case '\n': target += "\\n"; break;
        default: fmt::format_to(std::back_inserter(target), "\\u{:04x}", static_cast<unsigned char>(c));
    }
}

}  // namespace

std::size_t cut_before(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text.size();
    std::size_t cut = limit;
    while (cut > 0 && limit - cut < 4 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    return cut == 0 || (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80 ? limit : cut;
}

std::size_t append_json_escaped(std::string& target, std::string_view text, std::size_t limit) {
    constexpr std::size_t kLongestEscape = 6;
    const std::size_t end = target.size() + limit;
    std::size_t at = 0;
    while (at < text.size() && target.size() + kLongestEscape <= end) {
        std::size_t run = plain_run(text.substr(at));
        run = std::min(run, end - target.size());
        if (run > 0) {
            target += text.substr(at, run);
            at += run;
            continue;
        }
        const std::size_t length = utf8_length(text.substr(at));
        if (length == 0)
            target += kReplacementCharacter;
        else if (length > 1 || text[at] == 0x7f)
            target += text.substr(at, length);
        else
            append_control(target, text[at]);
        at += std::max<std::size_t>(length, 1);
    }
    return at;
}

void LogTimeWriter::append(std::string& target, WallTime time) {
    const std::int64_t micros = time.time_since_epoch().count();
    const std::int64_t second = micros / 1'000'000;
    if (second != second_ || prefix_.empty()) {
        second_ = second;
        const std::time_t seconds = second;
        std::tm fields{};
        ::gmtime_r(&seconds, &fields);
        prefix_ =
            fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.", fields.tm_year + 1900, fields.tm_mon + 1,
                        fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec);
    }
    const auto milli = static_cast<unsigned>(micros / 1000 % 1000);
    target += prefix_;
    target += static_cast<char>('0' + milli / 100);
    target += static_cast<char>('0' + milli / 10 % 10);
    target += static_cast<char>('0' + milli % 10);
    target += 'Z';
}

void LogFormatter::append_text(std::string& target, std::string_view service, const LogLine& line) {
    time_.append(target, line.time);
    target += " [";
    target += service;
    target += "] ";
    target += line.text;
    target += '\n';
}

void LogFormatter::append_json(std::string& target, std::string_view service, const LogLine& line) {
    std::string_view left = line.text;
    do {
        target += "{\"time\":\"";
        time_.append(target, line.time);
        target += "\",\"service\":\"";
        append_json_escaped(target, service, std::numeric_limits<std::uint32_t>::max());
        target += "\",\"message\":\"";
        left.remove_prefix(append_json_escaped(target, left, kMaxEscaped));
        target += "\"}\n";
    } while (!left.empty());
}

}  // namespace pgherd::supervisor
