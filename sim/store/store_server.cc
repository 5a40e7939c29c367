// The truth behind the simulated store: records, leases and revisions, changed by swaps and by time alone.
#include <algorithm>

#include "sim/store/sim_store.h"

namespace pgherd::sim {

namespace {

// Why the expectation does not hold; null when it does.
const char* refusal(const Expectation& expect, const Record* found) {
    if (std::holds_alternative<IfAbsent>(expect)) return found == nullptr ? nullptr : "the record exists";
    if (const auto* expected = std::get_if<IfRevision>(&expect)) {
        const Revision actual = found == nullptr ? Revision{} : found->modified;
        return actual == expected->modified ? nullptr : "the record is at another revision";
    }
    if (const auto* expected = std::get_if<IfValue>(&expect))
        return found != nullptr && found->value == expected->value ? nullptr : "the record has another value";
    return nullptr;
}

}  // namespace

SnapshotPtr StoreServer::snapshot() {
    end_expired();
    if (!snapshot_) snapshot_ = std::make_shared<Snapshot>(revision_, records_);
    return snapshot_;
}

Result<Revision> StoreServer::swap(const Swap& swap) {
    end_expired();
    const auto found = records_.find(swap.key);
    if (const char* why = refusal(swap.expect, found == records_.end() ? nullptr : &found->second))
        return fail(ErrorCode::conflict, why);
    if (!swap.value) {
        if (found == records_.end()) return revision_;
        records_.erase(found);
        return raise();
    }
    if (swap.lease != LeaseId{} && !leases_.contains(swap.lease))
        return fail(ErrorCode::not_found, "the lease has ended");
    const Revision next = raise();
    const Revision created = found == records_.end() ? next : found->second.created;
    records_[swap.key] = Record{*swap.value, created, next, swap.lease};
    return next;
}

LeaseId StoreServer::grant(Duration ttl) {
    end_expired();
    const LeaseId lease(next_lease_++);
    leases_[lease] = {ttl, clock_.now() + ttl};
    set_alarm();
    return lease;
}

Result<Duration> StoreServer::keep(LeaseId lease) {
    end_expired();
    const auto found = leases_.find(lease);
    if (found == leases_.end()) return fail(ErrorCode::not_found, "the lease has ended");
    found->second.ends = clock_.now() + found->second.ttl;
    return found->second.ttl;  // the alarm rings early at most
}

Status StoreServer::revoke(LeaseId lease) {
    end_expired();
    const auto found = leases_.find(lease);
    if (found == leases_.end()) return fail(ErrorCode::not_found, "the lease has ended");
    end_lease(found);
    return {};
}

std::shared_ptr<void> StoreServer::on_change(std::function<void()> changed) {
    auto listener = std::make_shared<std::function<void()>>(std::move(changed));
    listeners_.push_back(listener);
    return listener;
}

void StoreServer::end_expired() {
    const Instant now = clock_.now();
    for (auto lease = leases_.begin(); lease != leases_.end();) {
        const auto next = std::next(lease);
        if (lease->second.ends <= now) end_lease(lease);
        lease = next;
    }
}

void StoreServer::end_lease(std::map<LeaseId, Lease>::iterator lease) {
    const LeaseId id = lease->first;
    leases_.erase(lease);
    if (std::erase_if(records_, [&](const auto& entry) { return entry.second.lease == id; }) > 0) raise();
}

void StoreServer::set_alarm() {
    alarm_.reset();
    if (leases_.empty()) return;
    const auto first =
        std::ranges::min_element(leases_, {}, [](const auto& entry) { return entry.second.ends; });
    alarm_ = clock_.call_at(first->second.ends, [this] {
        end_expired();
        set_alarm();
    });
}

Revision StoreServer::raise() {
    revision_ = Revision(revision_.value() + 1);
    snapshot_ = nullptr;
    for (auto it = listeners_.begin(); it != listeners_.end();) {
        if (const auto listener = it->lock()) {
            (*listener)();
            ++it;
        } else {
            it = listeners_.erase(it);
        }
    }
    return revision_;
}

}  // namespace pgherd::sim
