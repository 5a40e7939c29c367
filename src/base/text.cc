#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace pgherd {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
}

template <class Int>
Result<Int> parse_number(std::string_view text, std::string_view what) {
    Int value{};
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return fail(ErrorCode::invalid, fmt::format("\"{}\" is not {}", text, what));
    return value;
}

// Splits "10 MB" into 10 and "MB".
Result<std::pair<double, std::string_view>> number_and_unit(std::string_view text) {
    text = trim(text);
    double value = 0;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(value))
        return fail(ErrorCode::invalid, fmt::format("\"{}\" does not begin with a number", text));
    return std::pair{value, trim(text.substr(std::size_t(end - text.data())))};
}

struct Unit {
    std::string_view name;
    double factor;
};

Result<std::int64_t> scaled(double value, double factor, std::string_view text) {
    double product = value * factor;
    if (std::fabs(product) >= 9.2e18)
        return fail(ErrorCode::invalid, fmt::format("\"{}\" is out of range", text));
    return std::int64_t(std::llround(product));
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

Result<std::int64_t> parse_int(std::string_view text) {
    return parse_number<std::int64_t>(text, "a whole number");
}
Result<std::uint64_t> parse_uint(std::string_view text) {
    return parse_number<std::uint64_t>(text, "a whole number of 0 or more");
}

Result<std::int64_t> parse_bytes(std::string_view text) {
    static constexpr std::array<Unit, 6> units{
        {{"", 1}, {"b", 1}, {"kb", 1024}, {"mb", 1048576}, {"gb", 1073741824}, {"tb", 1099511627776.0}}};
    PGHERD_TRY(auto parts, number_and_unit(text));
    for (const Unit& unit : units)
        if (iequals(unit.name, parts.second)) return scaled(parts.first, unit.factor, text);
    return fail(ErrorCode::invalid,
                fmt::format("\"{}\" has an unknown unit (expected B, kB, MB, GB or TB)", text));
}

Result<Duration> parse_duration(std::string_view text) {
    static constexpr std::array<Unit, 7> units{
        {{"", 1e9}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
    PGHERD_TRY(auto parts, number_and_unit(text));
    for (const Unit& unit : units)
        if (unit.name == parts.second) {
            PGHERD_TRY(auto nanoseconds, scaled(parts.first, unit.factor, text));
            return Duration(nanoseconds);
        }
    return fail(ErrorCode::invalid,
                fmt::format("\"{}\" has an unknown unit (expected us, ms, s, min, h or d)", text));
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0;;) {
        auto end = text.find(separator, begin);
        parts.emplace_back(text.substr(begin, end - begin));
        if (end == std::string_view::npos) return parts;
        begin = end + 1;
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    return fmt::format("{}", fmt::join(parts, separator));
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    auto begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string to_lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), lower);
    return result;
}

bool iequals(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string base64_encode(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::size_t rest = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j)
            group = group << 8 | (j < rest ? static_cast<unsigned char>(bytes[i + j]) : 0u);
        for (std::size_t j = 0; j < 4; ++j)
            text.push_back(j <= rest ? kBase64[group >> (18 - 6 * j) & 63] : '=');
    }
    return text;
}

Result<std::string> base64_decode(std::string_view text) {
    std::string bytes;
    std::uint32_t group = 0;
    int bits = 0;
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    for (char c : text) {
        auto digit = kBase64.find(c);
        if (digit == std::string_view::npos)
            return fail(ErrorCode::invalid, "cannot decode base64: unexpected character");
        group = group << 6 | std::uint32_t(digit);
        if ((bits += 6) >= 8) bytes.push_back(char(group >> (bits -= 8) & 255));
    }
    return bytes;
}

static std::string quoted(std::string_view text, char quote) {
    std::string result(1, quote);
    for (char c : text) result.append(c == quote ? 2 : 1, c);
    return result += quote;
}

std::string quote_literal(std::string_view text) {
    return quoted(text, '\'');
}
std::string quote_identifier(std::string_view text) {
    return quoted(text, '"');
}

}  // namespace pgherd
