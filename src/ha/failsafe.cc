#include "ha/failsafe.h"

#include <algorithm>
#include <functional>

namespace pgherd::ha {

namespace {

// Every other member of the list; a leader alone in it needs nobody.
Instant by_all(const Observation& seen) {
    const auto& list = seen.cluster->failsafe;
    if (!seen.failsafe_list_certain || !list.contains(seen.self.name)) return {};
    Instant until = seen.failsafe_round_until;
    for (const auto& [name, url] : list) {
        if (name == seen.self.name) continue;
        auto given = seen.confirmations.find(name);
        if (given == seen.confirmations.end()) return {};
        until = std::min(until, given->second.until);
    }
    return until;
}

Instant by_voters_of(const SyncRecord& record, const Observation& seen) {
    auto needed = confirmations_needed(record);
    if (!needed || record.leader != seen.self.name) return {};
    std::vector<Instant> given;
    for (const MemberName& name : record.standbys)
        if (auto found = seen.confirmations.find(name);
            found != seen.confirmations.end() && found->second.counts)
            given.push_back(found->second.until);
    if (int(given.size()) < *needed) return {};
    std::ranges::sort(given, std::greater{});
    return given[std::size_t(*needed) - 1];
}

// Nobody is known who would count votes in another way.
bool everybody_asks_the_voters(const Observation& seen) {
    const ClusterView& view = *seen.cluster;
    auto asks = [&](const MemberName& name) {
        auto known = seen.asks_voters.find(name);
        return name == seen.self.name || (known != seen.asks_voters.end() && known->second);
    };
    return std::ranges::all_of(view.failsafe, [&](const auto& entry) { return asks(entry.first); }) &&
           std::ranges::all_of(view.members, [&](const auto& entry) { return asks(entry.first); }) &&
           std::ranges::all_of(view.sync.standbys, asks);
}

// Whichever of its possible forms a candidate will find.
Instant by_voters(const Observation& seen) {
    if (!seen.failsafe_listed || seen.sync_as_found || !everybody_asks_the_voters(seen)) return {};
    Instant until = by_voters_of(seen.cluster->sync, seen);
    for (const SyncRecord& attempt : seen.sync_attempts) until = std::min(until, by_voters_of(attempt, seen));
    return until;
}

}  // namespace

std::optional<int> confirmations_needed(const SyncRecord& record) {
    if (record.empty() || record.standbys.empty()) return std::nullopt;
    return std::max(1, int(record.standbys.size()) - std::max(0, record.quorum));
}

Instant confirmed_until(const Observation& seen) {
    if (!seen.cluster || seen.failsafe_vetoed) return {};
    return std::max(by_all(seen), by_voters(seen));
}

}  // namespace pgherd::ha
