// One run: a cluster is made from a seed, lives through faults (safety), is left alone, and must come to rest
// (liveness).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/judge.h"
#include "sim/scenario.h"

namespace pgherd::sim {

struct RunOptions {
    std::uint64_t seed = 1;
    int members = 0;  // 0: from the seed, 2 to 5
    std::string
        without;  // safety rules that do not exist in this run, with commas between; "guard": its deadline
    std::shared_ptr<const Scenario> scenario;  // instead of faults by chance; has its own seed and cluster
    Duration faults = std::chrono::seconds(50);
    Trace::Reading reading = Trace::Reading::nothing;
};

struct RunResult {
    std::optional<Violation> violation;
    std::uint64_t hash = 0;
    std::uint64_t events = 0;
    Duration simulated{};
    Duration to_rest{};  // from healing until everything was well
    std::uint64_t acknowledged = 0;
    std::uint64_t lost = 0;  // commits that were not promised
    std::uint64_t elections = 0;
    int members = 0;
    std::string description;                                  // of the cluster: members, ttl, modes
    std::map<std::string, std::uint64_t, std::less<>> rules;  // how often each rule decided
    std::vector<std::string> tail;                            // the last events, if they were read
};

RunResult run(const RunOptions& options);

}  // namespace pgherd::sim
