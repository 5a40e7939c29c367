#include "ctl/config_edit.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/agent_config.h"

namespace pgherd::ctl {
namespace {

void set(JsonObject& object, std::span<const std::string> path, const Json& value, bool parameters_are_next) {
    const std::string& key = path.front();
    if (path.size() == 1) {
        if (value.is_null())
            object.erase(key);
        else
            object[key] = value;
        return;
    }
    Json& inner = object[key];
    if (!inner.is_object()) inner = JsonObject{};
    std::vector<std::string> rest(path.begin() + 1, path.end());
    if (parameters_are_next && key == "parameters") rest = {join(rest, ".")};
    set(inner.get_object(), rest, value, key == "postgresql");
    if (inner.get_object().empty()) object.erase(key);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines = split(text, '\n');
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
}

constexpr std::size_t kAround = 2;

struct Edit {
    char sign;
    std::string line;
};

// By the longest common subsequence; configurations are short.
std::vector<Edit> edits(const std::vector<std::string>& before, const std::vector<std::string>& after) {
    std::vector<std::vector<std::size_t>> common(before.size() + 1,
                                                 std::vector<std::size_t>(after.size() + 1));
    for (std::size_t i = before.size(); i-- > 0;)
        for (std::size_t j = after.size(); j-- > 0;)
            common[i][j] = before[i] == after[j] ? common[i + 1][j + 1] + 1
                                                 : std::max(common[i + 1][j], common[i][j + 1]);
    std::vector<Edit> result;
    for (std::size_t i = 0, j = 0; i < before.size() || j < after.size();) {
        if (i < before.size() && j < after.size() && before[i] == after[j]) {
            result.push_back({' ', before[i]});
            ++i, ++j;
        } else if (j == after.size() || (i < before.size() && common[i + 1][j] >= common[i][j + 1])) {
            result.push_back({'-', before[i++]});
        } else {
            result.push_back({'+', after[j++]});
        }
    }
    return result;
}

}  // namespace

Status apply_assignment(JsonObject& document, const std::string& assignment) {
    auto equals = assignment.find('=');
    std::string path(trim(std::string_view(assignment).substr(0, equals)));
    if (equals == std::string::npos || path.empty() || path.front() == '.' || path.back() == '.')
        return fail(
            ErrorCode::invalid,
            fmt::format("\"{}\" is not a setting: expected key=value, for instance ttl=10", assignment));
    PGHERD_TRY(auto value, parse_yaml(std::string_view(assignment).substr(equals + 1), assignment));
    set(document, split(path, '.'), value, false);
    return {};
}

std::string difference_of_lines(const std::string& before, const std::string& after) {
    auto all = edits(lines_of(before), lines_of(after));
    std::string text;
    bool left_out = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::size_t from = i < kAround ? 0 : i - kAround;
        std::size_t to = std::min(all.size(), i + kAround + 1);
        bool near = std::any_of(all.begin() + std::ptrdiff_t(from), all.begin() + std::ptrdiff_t(to),
                                [](const Edit& edit) { return edit.sign != ' '; });
        if (near) {
            if (left_out && !text.empty()) text += "@@\n";
            text += fmt::format("{}{}\n", all[i].sign, all[i].line);
        }
        left_out = !near;
    }
    return text;
}

}  // namespace pgherd::ctl
