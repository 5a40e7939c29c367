#include "sim/scenario.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"
#include "sim/director.h"

namespace pgherd::sim {

namespace {

using Words = std::vector<std::string>;

Words words_of(std::string_view line) {
    Words words;
    for (auto& word : split(trim(line.substr(0, line.find('#'))), ' '))
        if (!word.empty()) words.push_back(std::move(word));
    return words;
}

Result<std::uint64_t> number(const Words& words) {
    if (words.size() != 2) return fail("one number is expected");
    return parse_uint(words[1]);
}

Result<Duration> duration(const Words& words) {
    if (words.size() != 2) return fail("one duration is expected");
    return parse_duration(words[1]);
}

Result<Duration> story_time(const std::string& text) {
    char* end = nullptr;
    const double seconds = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || seconds < 0) return fail(text + " is no time in seconds");
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

template <class From, class To>
Status take(const Result<From>& from, To& to) {
    if (!from) return std::unexpected(from.error());
    to = static_cast<To>(*from);
    return {};
}

Status set(Scenario& scenario, const Words& words) {
    if (words.size() < 3) return fail("a key and a value are expected");
    const auto value = join(Words(words.begin() + 2, words.end()), " ");
    PGHERD_TRY(auto json, parse_json(value));
    scenario.dcs[words[1]] = std::move(json);
    return {};
}

Status event(Scenario& scenario, std::optional<Duration> at, Words words) {
    if (words.empty()) return fail("what happens then?");
    ScenarioEvent event{at, words[0], Words(words.begin() + 1, words.end())};
    PGHERD_CHECK(check_event(event));
    scenario.events.push_back(std::move(event));
    return {};
}

Status read_line(Scenario& scenario, const Words& words) {
    const std::string& what = words[0];
    if (what == "members") return take(number(words), scenario.members);
    if (what == "seed") return take(number(words), scenario.seed);
    if (what == "set") return set(scenario, words);
    if (what == "pre-promote") return take(duration(words), scenario.pre_promote);
    if (what == "slow-checkpoint") return take(duration(words), scenario.slow_checkpoint);
    if (what == "when-promoting") return event(scenario, std::nullopt, Words(words.begin() + 1, words.end()));
    if ((what != "at" && what != "until") || words.size() < 2) return fail("\"" + what + "\" is unknown");
    PGHERD_TRY(const auto at, story_time(words[1]));
    if (what == "at") return event(scenario, at, Words(words.begin() + 2, words.end()));
    scenario.until = at;
    return {};
}

}  // namespace

Result<Scenario> read_scenario(const std::string& directory, const std::string& name) {
    const auto path = fmt::format("{}/{}.txt", directory, name);
    std::ifstream file(path);
    if (!file) return fail("cannot read scenario " + path);
    Scenario scenario;
    scenario.name = name;
    scenario.dcs = {{"ttl", 10}, {"loop_wait", 3}, {"retry_timeout", 3}};
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        const auto words = words_of(line);
        if (words.empty()) continue;
        if (const auto read = read_line(scenario, words); !read)
            return std::unexpected(with_context(read.error(), fmt::format("{}:{}", path, number)));
    }
    if (scenario.until == Duration{}) return fail(path + ": \"until\" is missing");
    return scenario;
}

std::vector<std::string> scenario_names(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
        if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
    std::ranges::sort(names);
    return names;
}

}  // namespace pgherd::sim
