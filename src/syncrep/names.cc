// synchronous_standby_names: `a`, `2 (a, b)`, `FIRST 2 (a, b)`, `ANY 1 (a, b)`, `a, b`.
#include <algorithm>
#include <optional>

#include "base/text.h"
#include "syncrep/syncrep.h"

namespace pgherd::syncrep {

namespace {

bool plain(char c, bool first) {
    return c == '_' || (c >= 'a' && c <= 'z') || (!first && ((c >= '0' && c <= '9') || c == '$'));
}

std::string quoted(const std::string& name) {
    bool bare = !name.empty();
    for (std::size_t i = 0; i < name.size(); ++i) bare = bare && plain(name[i], i == 0);
    // Words that the grammar would take for a method.
    if (bare && name != "first" && name != "any") return name;
    return quote_identifier(name);
}

// Names and numbers, with the quotes removed; single characters for the rest.
struct Token {
    std::string text;
    bool word = false;
    bool was_quoted = false;
};

std::optional<std::vector<Token>> tokens(std::string_view text) {
    std::vector<Token> found;
    for (std::size_t i = 0; i < text.size();) {
        char c = text[i];
        if (c == ' ' || c == '\t' || c == '\n') {
            ++i;
        } else if (c == '(' || c == ')' || c == ',') {
            found.push_back({std::string(1, c)});
            ++i;
        } else if (c == '"') {
            Token token{.text = "", .word = true, .was_quoted = true};
            for (++i;; ++i) {
                if (i >= text.size()) return std::nullopt;
                if (text[i] != '"')
                    token.text += text[i];
                else if (i + 1 < text.size() && text[i + 1] == '"')
                    token.text += text[i++];
                else
                    break;
            }
            ++i;
            found.push_back(std::move(token));
        } else {
            std::size_t end = std::min(text.find_first_of(" \t\n(),\"", i), text.size());
            found.push_back({.text = std::string(text.substr(i, end - i)), .word = true});
            i = end;
        }
    }
    return found;
}

// word (',' word)* from `at` to the end or a ')'; nothing when it is no such list.
std::optional<std::vector<MemberName>> name_list(const std::vector<Token>& all, std::size_t at,
                                                 std::size_t end) {
    std::vector<MemberName> names;
    for (std::size_t i = at; i < end; ++i) {
        bool separator = (i - at) % 2 == 1;
        if (separator ? all[i].text != "," || all[i].word : !all[i].word) return std::nullopt;
        if (!separator) names.emplace_back(std::string_view(all[i].text));
    }
    if (names.empty() || (end - at) % 2 == 0) return std::nullopt;
    std::ranges::sort(names);
    return names;
}

SyncNames other() {
    return {.method = SyncNames::Method::other, .count = 0, .names = {}};
}

}  // namespace

SyncNames parse_names(std::string_view text) {
    auto all = tokens(text);
    if (!all) return other();
    if (all->empty()) return {};
    SyncNames parsed{.method = SyncNames::Method::first, .count = 1, .names = {}};
    std::size_t at = 0;
    auto is_word = [&](std::size_t i, std::string_view word) {
        return i < all->size() && (*all)[i].word && !(*all)[i].was_quoted && iequals((*all)[i].text, word);
    };
    bool explicit_method = all->size() > 2 && (is_word(0, "any") || is_word(0, "first")) && (*all)[1].word;
    if (explicit_method) {
        if (is_word(0, "any")) parsed.method = SyncNames::Method::any;
        at = 1;
    }
    bool counted =
        at + 1 < all->size() && (*all)[at].word && (*all)[at + 1].text == "(" && !(*all)[at + 1].word;
    std::size_t end = all->size();
    if (counted) {
        auto count = parse_int((*all)[at].text);
        if (!count || *count < 1 || *count > 10000 || all->back().text != ")" || all->back().word)
            return other();
        parsed.count = int(*count);
        at += 2;
        --end;
    } else if (explicit_method) {
        return other();
    }
    auto names = name_list(*all, at, end);
    if (!names) return other();
    parsed.names = std::move(*names);
    return parsed;
}

std::string render_names(const SyncNames& names) {
    if (names.method == SyncNames::Method::none || names.method == SyncNames::Method::other ||
        names.names.empty())
        return "";
    std::vector<std::string> list;
    for (const MemberName& name : names.names) list.push_back(quoted(name.text()));
    std::string count = std::to_string(names.count);
    if (names.method == SyncNames::Method::any) return "ANY " + count + " (" + join(list, ",") + ")";
    if (names.count == 1 && list.size() == 1) return list.front();
    return count + " (" + join(list, ",") + ")";
}

}  // namespace pgherd::syncrep
