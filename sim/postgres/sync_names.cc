#include "sim/postgres/sync_names.h"

#include <cctype>

#include "base/text.h"

namespace pgherd::sim {

namespace {

std::vector<std::string> tokens(std::string_view text) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            ++i;
        } else if (c == '(' || c == ')' || c == ',') {
            out.emplace_back(1, c);
            ++i;
        } else if (c == '"') {
            std::string name;
            for (++i; i < text.size() && !(text[i] == '"' && (i + 1 >= text.size() || text[i + 1] != '"'));
                 ++i) {
                if (text[i] == '"') ++i;
                name += text[i];
            }
            ++i;
            out.push_back(std::move(name));
        } else {
            const std::size_t from = i;
            while (i < text.size() && std::isspace(static_cast<unsigned char>(text[i])) == 0 &&
                   std::string_view("(),\"").find(text[i]) == std::string_view::npos)
                ++i;
            out.emplace_back(text.substr(from, i - from));
        }
    }
    return out;
}

}  // namespace

bool SyncNames::matches(std::size_t i, std::string_view application) const {
    return names[i] == "*" || iequals(names[i], application);
}

SyncNames read_sync_names(std::string_view text) {
    SyncNames out;
    const auto words = tokens(text);
    std::size_t i = 0;
    if (words.empty()) return out;
    out.count = 1;
    if (iequals(words[0], "FIRST") || iequals(words[0], "ANY")) {
        out.any = iequals(words[0], "ANY");
        i = 1;
    }
    if (i + 1 < words.size() && words[i + 1] == "(") {
        if (const auto count = parse_uint(words[i])) out.count = static_cast<std::size_t>(*count);
        i += 2;
    }
    for (; i < words.size(); ++i)
        if (words[i] != "," && words[i] != ")") out.names.push_back(words[i]);
    if (out.names.empty()) out.count = 0;
    return out;
}

}  // namespace pgherd::sim
