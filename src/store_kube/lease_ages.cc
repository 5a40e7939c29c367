#include "store_kube/lease_ages.h"

#include <algorithm>
#include <utility>

namespace pgherd::kube {

void LeaseAges::saw(LeaseId lease, const std::string& sign, Duration ttl, Instant now) {
    const auto [found, is_new] = leases_.try_emplace(lease, Age{sign, ttl, now});
    found->second.ttl = ttl;
    if (is_new || found->second.sign == sign) return;
    found->second.sign = sign;
    found->second.since = now;
}

void LeaseAges::renewed(LeaseId lease, const std::string& sign, Instant now) {
    const auto found = leases_.find(lease);
    if (found != leases_.end()) saw(lease, sign, found->second.ttl, now);
}

std::vector<LeaseId> LeaseAges::all() const {
    std::vector<LeaseId> result;
    for (const auto& [lease, age] : leases_) result.push_back(lease);
    return result;
}

std::string LeaseAges::sign(LeaseId lease) const {
    const auto found = leases_.find(lease);
    return found == leases_.end() ? std::string() : found->second.sign;
}

void LeaseAges::silent(Instant asked) {
    if (!silent_since_) silent_since_ = std::max(asked, last_answer_);
}

void LeaseAges::answered(Instant now) {
    last_answer_ = now;
    if (!silent_since_) return;
    const Duration silence = now - *std::exchange(silent_since_, std::nullopt);
    for (auto& [lease, age] : leases_) {
        age.since = std::min(now, age.since + silence);
        if (silence >= age.ttl / 4) age.since = std::max(age.since, now - age.ttl / 2);
    }
}

std::optional<std::pair<LeaseId, Instant>> LeaseAges::next() const {
    std::optional<std::pair<LeaseId, Instant>> first;
    for (const auto& [lease, age] : leases_)
        if (!first || age.since + age.ttl < first->second) first = std::pair(lease, age.since + age.ttl);
    return first;
}

}  // namespace pgherd::kube
