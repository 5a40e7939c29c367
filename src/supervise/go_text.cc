#include "supervise/go_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace pgherd::supervise {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t nanoseconds;
};
constexpr std::array kUnits{
    Unit{"ns", 1},         Unit{"us", 1'000},        Unit{"\xC2\xB5s", 1'000},  Unit{"\xCE\xBCs", 1'000},
    Unit{"ms", 1'000'000}, Unit{"s", 1'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"h", 3'600'000'000'000}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// "1.5" for 1500 of 1000, without trailing zeros.
std::string decimal(std::uint64_t value, std::uint64_t unit) {
    std::string text = fmt::format("{}", value / unit);
    std::uint64_t rest = value % unit;
    if (rest == 0) return text;
    text += '.';
    for (std::uint64_t place = unit / 10; rest > 0; place /= 10) {
        text += static_cast<char>('0' + rest / place);
        rest %= place;
    }
    return text;
}

std::string with_fraction(WallTime time, bool fraction) {
    const std::int64_t micros = time.time_since_epoch().count();
    const auto seconds = static_cast<std::time_t>(std::floor(static_cast<double>(micros) / 1e6));
    std::int64_t rest = micros - static_cast<std::int64_t>(seconds) * 1'000'000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::string text =
        fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                    parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    if (fraction && rest > 0) {
        std::string digits = fmt::format(".{:06}", rest);
        while (digits.back() == '0') digits.pop_back();
        text += digits;
    }
    return text + 'Z';
}

// Reads `count` digits at `at`; -1 when they are not there.
int number(std::string_view text, std::size_t at, std::size_t count) {
    if (at + count > text.size()) return -1;
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (!is_digit(text[i])) return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

}  // namespace

std::string go_duration(Duration duration) {
    const std::int64_t count = duration.count();
    if (count == 0) return "0s";
    const std::string sign = count < 0 ? "-" : "";
    const auto nanos = count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
    if (nanos < 1'000) return fmt::format("{}{}ns", sign, nanos);
    if (nanos < 1'000'000) return sign + decimal(nanos, 1'000) + "\xC2\xB5s";
    if (nanos < 1'000'000'000) return sign + decimal(nanos, 1'000'000) + "ms";
    const std::uint64_t minutes = nanos / 60'000'000'000;
    std::string text = decimal(nanos % 60'000'000'000, 1'000'000'000) + "s";
    if (minutes > 0) text.insert(0, fmt::format("{}m", minutes % 60));
    if (minutes >= 60) text.insert(0, fmt::format("{}h", minutes / 60));
    return sign + text;
}

Result<Duration> parse_go_duration(std::string_view text) {
    const auto invalid = [&](std::string_view what = "invalid duration ") {
        return fail(ErrorCode::invalid, fmt::format("time: {}{}", what, go_quote(text)));
    };
    std::string_view rest = text;
    bool negative = false;
    if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
        negative = rest.front() == '-';
        rest.remove_prefix(1);
    }
    if (rest == "0") return Duration{};
    if (rest.empty()) return invalid();
    long double total = 0;
    while (!rest.empty()) {
        long double value = 0, place = 1;
        bool digits = false;
        std::size_t at = 0;
        for (; at < rest.size() && is_digit(rest[at]); ++at, digits = true)
            value = value * 10 + (rest[at] - '0');
        if (at < rest.size() && rest[at] == '.')
            for (++at; at < rest.size() && is_digit(rest[at]); ++at, digits = true)
                value += (rest[at] - '0') * (place /= 10);
        if (!digits) return invalid();
        rest.remove_prefix(at);
        std::size_t end = 0;
        while (end < rest.size() && rest[end] != '.' && !is_digit(rest[end])) ++end;
        if (end == 0) return invalid("missing unit in duration ");
        const std::string_view name = rest.substr(0, end);
        rest.remove_prefix(end);
        const Unit* unit = nullptr;
        for (const Unit& known : kUnits)
            if (known.name == name) unit = &known;
        if (!unit)
            return fail(ErrorCode::invalid,
                        fmt::format("time: unknown unit {} in duration {}", go_quote(name), go_quote(text)));
        total += value * static_cast<long double>(unit->nanoseconds);
        if (total > static_cast<long double>(Duration::max().count())) return invalid();
    }
    const Duration duration(std::llroundl(std::min<long double>(total, kLongestDuration.count())));
    return negative ? -duration : duration;
}

std::string go_quote(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        switch (c) {
            case '"': quoted += "\\\""; break;
            case '\\': quoted += "\\\\"; break;
            case '\n': quoted += "\\n"; break;
            case '\t': quoted += "\\t"; break;
            case '\r': quoted += "\\r"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
                    quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
                else
                    quoted += c;
        }
    }
    return quoted + '"';
}

std::string rfc3339(WallTime time) {
    return with_fraction(time, true);
}

std::string rfc3339_seconds(WallTime time) {
    return with_fraction(time, false);
}

Result<WallTime> parse_rfc3339(std::string_view text) {
    const auto invalid = fail(ErrorCode::invalid, fmt::format("invalid time {}", go_quote(text)));
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') ||
        text[13] != ':' || text[16] != ':')
        return invalid;
    std::tm parts{};
    parts.tm_year = number(text, 0, 4) - 1900;
    parts.tm_mon = number(text, 5, 2) - 1;
    parts.tm_mday = number(text, 8, 2);
    parts.tm_hour = number(text, 11, 2);
    parts.tm_min = number(text, 14, 2);
    parts.tm_sec = number(text, 17, 2);
    if (parts.tm_year < -1900 || parts.tm_mon < 0 || parts.tm_mon > 11 || parts.tm_mday < 1 ||
        parts.tm_mday > 31 || parts.tm_hour < 0 || parts.tm_hour > 23 || parts.tm_min < 0 ||
        parts.tm_min > 59 || parts.tm_sec < 0 || parts.tm_sec > 60)
        return invalid;
    std::string_view rest = text.substr(19);
    std::int64_t micros = 0, place = 1'000'000;
    if (rest.front() == '.') {
        std::size_t digits = 1;
        for (; digits < rest.size() && is_digit(rest[digits]); ++digits)
            if (place > 1) micros += (rest[digits] - '0') * (place /= 10);
        if (digits == 1 || digits > 10) return invalid;
        rest.remove_prefix(digits);
    }
    std::int64_t offset = 0;
    if (rest != "Z" && rest != "z") {
        const int hours = number(rest, 1, 2), minutes = number(rest, 4, 2);
        if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':' || hours < 0 ||
            hours > 23 || minutes < 0 || minutes > 59)
            return invalid;
        offset = (hours * 60 + minutes) * 60 * (rest[0] == '-' ? -1 : 1);
    }
    const std::int64_t seconds = static_cast<std::int64_t>(::timegm(&parts)) - offset;
    return WallTime(std::chrono::microseconds(seconds * 1'000'000 + micros));
}

}  // namespace pgherd::supervise
