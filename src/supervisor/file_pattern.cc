#include "supervisor/file_pattern.h"

#include <optional>

namespace pgherd::supervisor {

namespace {

// A character of a set or of the pattern itself, with its backslash undone. Nothing: the pattern ends too
// early.
std::optional<char> take_character(std::string_view& pattern, bool in_set) {
    if (pattern.empty() || (in_set && (pattern.front() == '-' || pattern.front() == ']')))
        return std::nullopt;
    if (pattern.front() == '\\') pattern.remove_prefix(1);
    if (pattern.empty()) return std::nullopt;
    const char character = pattern.front();
    pattern.remove_prefix(1);
    return character;
}

// Takes `[…]`, of which the bracket is gone already, and tells whether `c` is in it.
std::optional<bool> take_set(std::string_view& pattern, char c) {
    const bool inverted = pattern.starts_with('^');
    if (inverted) pattern.remove_prefix(1);
    bool found = false;
    for (bool any = false; !any || !pattern.starts_with(']'); any = true) {
        const auto low = take_character(pattern, true);
        if (!low) return std::nullopt;
        auto high = low;
        if (pattern.starts_with('-')) {
            pattern.remove_prefix(1);
            high = take_character(pattern, true);
            if (!high) return std::nullopt;
        }
        found = found || (*low <= c && c <= *high);
    }
    pattern.remove_prefix(1);
    return found != inverted;
}

// One element that is no star, against one character. Nothing: the pattern is invalid.
std::optional<bool> take_one(std::string_view& pattern, char c) {
    if (pattern.front() == '[') {
        pattern.remove_prefix(1);
        return take_set(pattern, c);
    }
    if (pattern.front() == '?') {
        pattern.remove_prefix(1);
        return c != '/';
    }
    const auto character = take_character(pattern, false);
    if (!character) return std::nullopt;
    return *character == c;
}

}  // namespace

bool valid_pattern(std::string_view pattern) {
    while (!pattern.empty()) {
        if (pattern.front() == '*')
            pattern.remove_prefix(1);
        else if (!take_one(pattern, 'x'))
            return false;
    }
    return true;
}

// After a mismatch, the last star takes one character more.
bool matches_pattern(std::string_view pattern, std::string_view name) {
    std::optional<std::string_view> after_star;
    std::string_view star_name;
    while (!name.empty() || !pattern.empty()) {
        if (pattern.starts_with('*')) {
            pattern.remove_prefix(1);
            after_star = pattern;
            star_name = name;
            continue;
        }
        if (!name.empty() && !pattern.empty()) {
            const auto one = take_one(pattern, name.front());
            if (!one) return false;
            if (*one) {
                name.remove_prefix(1);
                continue;
            }
        }
        if (!after_star || star_name.empty() || star_name.front() == '/') return false;
        star_name.remove_prefix(1);
        name = star_name;
        pattern = *after_star;
    }
    return true;
}

}  // namespace pgherd::supervisor
