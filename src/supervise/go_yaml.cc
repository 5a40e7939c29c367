#include "supervise/go_yaml.h"

#include <array>
#include <cctype>

#include <fmt/format.h>

namespace pgherd::supervise {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}
bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

constexpr std::array<std::string_view, 52> kSpecialWords{
    "~",     "null",  "Null", "NULL", "true", "True", "TRUE",  "false", "False", "FALSE",
    ".nan",  ".NaN",  ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
    "-.Inf", "-.INF", "<<",   "y",    "Y",    "yes",  "Yes",   "YES",   "on",    "On",
    "ON",    "n",     "N",    "no",   "No",   "NO",   "off",   "Off",   "OFF"};

// [0-9_] of a base, at least one digit; go's integers allow "_" between.
bool all_digits(std::string_view text, std::string_view digits) {
    bool any = false;
    for (const char c : text) {
        if (c == '_') continue;
        if (digits.find(c) == std::string_view::npos) return false;
        any = true;
    }
    return any;
}

bool looks_like_number(std::string_view text) {
    if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
    if (text.empty()) return false;
    if (text.starts_with("0x") || text.starts_with("0X"))
        return all_digits(text.substr(2), "0123456789abcdefABCDEF");
    if (text.starts_with("0o") || text.starts_with("0O")) return all_digits(text.substr(2), "01234567");
    if (text.starts_with("0b") || text.starts_with("0B")) return all_digits(text.substr(2), "01");
    if (!is_digit(text.front()) && text.front() != '.') return false;
    bool digits = false, point = false;
    std::size_t at = 0;
    for (; at < text.size() && (is_digit(text[at]) || text[at] == '_' || (text[at] == '.' && !point)); ++at) {
        digits = digits || is_digit(text[at]);
        point = point || text[at] == '.';
    }
    if (!digits) return false;
    if (at == text.size()) return true;
    if (text[at] != 'e' && text[at] != 'E') return false;
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    return at < text.size() &&
           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_digit);
}

// "190:20:30", an integer of base 60 in YAML 1.1.
bool looks_like_base_60(std::string_view text) {
    if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || text.empty() || !is_digit(text.front())) return false;
    return std::ranges::all_of(text, [](char c) { return is_digit(c) || c == ':' || c == '_' || c == '.'; });
}

bool looks_like_date(std::string_view text) {
    if (text.size() < 8 || !std::all_of(text.begin(), text.begin() + 4, is_digit) || text[4] != '-')
        return false;
    return std::ranges::all_of(text.substr(5), [](char c) {
        return is_digit(c) || c == '-' || c == ':' || c == '.' || c == '+' || c == ' ' || c == 'T' ||
               c == 't' || c == 'Z';
    });
}

bool needs_escapes(std::string_view text) {
    return std::ranges::any_of(text,
                               [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool plain_allowed(std::string_view text) {
    if (text.empty() || is_blank(text.front()) || is_blank(text.back())) return false;
    if (text.starts_with("---") || text.starts_with("...")) return false;
    if (std::string_view("#,[]{}&*!|>'\"%@`").find(text.front()) != std::string_view::npos) return false;
    const bool blank_follows_first = text.size() == 1 || is_blank(text[1]);
    if ((text.front() == '-' || text.front() == '?' || text.front() == ':') && blank_follows_first)
        return false;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == ':' && (i + 1 == text.size() || is_blank(text[i + 1]))) return false;
        if (text[i] == '#' && is_blank(text[i - 1])) return false;
    }
    return true;
}

std::string double_quoted(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        switch (c) {
            case '"': quoted += "\\\""; break;
            case '\\': quoted += "\\\\"; break;
            case '\n': quoted += "\\n"; break;
            case '\t': quoted += "\\t"; break;
            case '\r': quoted += "\\r"; break;
            case '\0': quoted += "\\0"; break;
            default:
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
                    quoted += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
                else
                    quoted += c;
        }
    }
    return quoted + '"';
}

std::string single_quoted(std::string_view text) {
    std::string quoted = "'";
    for (const char c : text) {
        if (c == '\'') quoted += '\'';
        quoted += c;
    }
    return quoted + '\'';
}

bool all_zeros_before(std::string_view text, std::size_t at) {
    while (at > 0 && is_digit(text[at - 1]))
        if (text[--at] != '0') return false;
    return true;
}

std::string_view digits_at(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && is_digit(text[end])) ++end;
    return text.substr(at, end - at);
}

}  // namespace

bool means_something_else(std::string_view text) {
    return text.empty() || std::ranges::find(kSpecialWords, text) != kSpecialWords.end() ||
           looks_like_number(text) || looks_like_base_60(text) || looks_like_date(text);
}

std::string yaml_scalar(std::string_view text) {
    if (means_something_else(text) || needs_escapes(text)) return double_quoted(text);
    return plain_allowed(text) ? std::string(text) : single_quoted(text);
}

bool natural_less(std::string_view a, std::string_view b) {
    const auto [in_a, in_b] = std::ranges::mismatch(a, b);
    const auto at = static_cast<std::size_t>(in_a - a.begin());
    if (at == a.size() || at == b.size()) return a.size() < b.size();
    const bool after_digit = at > 0 && is_digit(a[at - 1]);
    const bool letter_a = is_letter(a[at]), letter_b = is_letter(b[at]);
    if (letter_a && letter_b) return static_cast<unsigned char>(a[at]) < static_cast<unsigned char>(b[at]);
    if (letter_a || letter_b) return after_digit ? letter_a : letter_b;
    // Two numbers that begin to differ here: the one of more digits is greater, unless those are zeros in
    // front.
    const std::string_view number_a = digits_at(a, at), number_b = digits_at(b, at);
    const bool leading = (a[at] == '0' || b[at] == '0') && all_zeros_before(a, at);
    const auto value = [&](std::string_view digits) {
        while (leading && digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
        return digits;
    };
    const std::string_view value_a = value(number_a), value_b = value(number_b);
    if (value_a.size() != value_b.size()) return value_a.size() < value_b.size();
    if (value_a != value_b) return value_a < value_b;
    if (number_a.size() != number_b.size()) return number_a.size() < number_b.size();
    return static_cast<unsigned char>(a[at]) < static_cast<unsigned char>(b[at]);
}

bool YamlWriter::begin_key(std::string_view key) {
    constexpr std::size_t kLongestBeforeColon = 128;  // go-yaml's
    const bool apart = key.size() > kLongestBeforeColon;
    text_.append(depth_ * 4, ' ');
    if (apart) text_ += "? ";
    text_ += yaml_scalar(key);
    return apart;
}

void YamlWriter::key_and_colon(std::string_view key) {
    if (begin_key(key)) text_.append("\n").append(depth_ * 4, ' ');
    text_ += ':';
}

void YamlWriter::field_raw(std::string_view key, std::string_view value) {
    key_and_colon(key);
    text_ += ' ';
    text_ += value;
    text_ += '\n';
}

// "|" and the lines; an indentation hint where the first line is indented or empty.
void YamlWriter::literal(std::string_view value) {
    text_ += " |";
    if (is_blank(value.front()) || value.front() == '\n') text_ += '4';
    if (!value.ends_with('\n'))
        text_ += '-';
    else if (value.size() == 1 || value[value.size() - 2] == '\n')
        text_ += '+';
    text_ += '\n';
    if (value.ends_with('\n')) value.remove_suffix(1);
    while (true) {
        const std::size_t end = value.find('\n');
        const std::string_view row = value.substr(0, end);
        if (!row.empty()) text_.append((depth_ + 1) * 4, ' ').append(row);
        text_ += '\n';
        if (end == std::string_view::npos) return;
        value.remove_prefix(end + 1);
    }
}

void YamlWriter::field(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    const bool lines = value.find('\n') != std::string_view::npos;
    const bool tidy = std::ranges::none_of(
        value, [](char c) { return c != '\n' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f); });
    if (!lines || !tidy || value.find(" \n") != std::string_view::npos || is_blank(value.back()))
        return field_raw(key, yaml_scalar(value));
    key_and_colon(key);
    literal(value);
}

void YamlWriter::list(std::string_view key, const std::vector<std::string>& values) {
    if (values.empty()) return;
    key_and_colon(key);
    text_ += '\n';
    for (const std::string& value : values) {
        text_.append((depth_ + 1) * 4, ' ');
        text_ += "- " + yaml_scalar(value) + '\n';
    }
}

void YamlWriter::strings(std::string_view key, const StringMap& values) {
    mapping(key, [&] {
        for (const auto* entry : naturally_sorted(values)) {
            if (entry->second.empty())
                field_raw(entry->first, "\"\"");
            else
                field(entry->first, entry->second);
        }
    });
}

}  // namespace pgherd::supervise
