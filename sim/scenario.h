// Directed runs: sim/scenarios/NAME.txt names a cluster, what befalls its members and when.
//
// A seed finds what nobody has thought of; a scenario shows one thing that somebody has, in a few lines that
// read like a story. Chance still decides delays and the like, from the scenario's seed. A line is one of
//
//     members 3                       # comments go to the end of the line
//     seed 7
//     set ttl 10                      # a key of the dynamic configuration, and its value in JSON
//     pre-promote 500ms               # how long the user's pre_promote takes
//     slow-checkpoint 20s
//     at 12.5 cut first store         # seconds after the cluster was at rest
//     when-promoting cut new store    # whenever a member begins to promote
//     until 40                        # then everything heals
//
// `first` is the leader when the story begins, `second` … the others; `new` is who promotes. director.h has
// the verbs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/member.h"

namespace pgherd::sim {

struct ScenarioEvent {
    std::optional<Duration> at;  // nothing: when a member begins to promote
    std::string verb;
    std::vector<std::string> names;
};

struct Scenario {
    std::string name;
    int members = 3;
    std::uint64_t seed = 1;
    JsonObject dcs;
    Duration pre_promote = std::chrono::microseconds(100);
    Duration slow_checkpoint{};
    Duration until{};
    std::vector<ScenarioEvent> events;
};

// From `directory`/NAME.txt; a mistake names the file and the line.
Result<Scenario> read_scenario(const std::string& directory, const std::string& name);
std::vector<std::string> scenario_names(const std::string& directory);

}  // namespace pgherd::sim
