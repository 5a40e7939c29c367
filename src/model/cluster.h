// The cluster as the store shows it: every record parsed, with the revision that a compare-and-swap needs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/lsn.h"
#include "base/strong.h"
#include "base/time.h"
#include "model/dynamic_config.h"
#include "model/member.h"

namespace pgherd {

// `leader`: who holds the lock.
struct LeaderRecord {
    MemberName name;
    Revision modified;
    LeaseId lease;
};

// `failover`: a wish of an operator. With `leader` it is a switchover, without a failover.
struct FailoverRequest {
    MemberName leader;
    MemberName candidate;  // JSON key "member"
    std::optional<WallTime> scheduled_at;
    Revision modified;

    bool empty() const { return leader.empty() && candidate.empty() && !scheduled_at; }
};

// `sync`: who may take over without losing an acknowledged commit.
struct SyncRecord {
    MemberName leader;
    int quorum = 0;
    std::vector<MemberName> standbys;  // sorted, JSON key "sync_standby", comma separated
    Revision modified;                 // 0 = the record does not exist

    bool empty() const { return leader.empty(); }
    bool contains(const MemberName& name) const;  // as a standby
};

// `status`: what the leader last said of itself.
struct StatusRecord {
    std::optional<Lsn> optime;
    std::map<std::string, Lsn> slots;
    std::vector<std::string> retain_slots;
};

struct HistoryLine {
    Timeline timeline;
    Lsn lsn;
    std::string reason;
    std::string timestamp;  // ISO; empty when the promotion was not seen
    MemberName leader;
};

// `timeline` (pgherd's own record): the highest timeline number that was ever claimed for a promotion, and by
// whom. A number is claimed before PostgreSQL uses it, so that no two histories ever have the same.
struct TimelineClaim {
    Timeline timeline;
    MemberName member;
    Revision modified;  // 0 = the record does not exist
};

struct ClusterView {
    Revision revision;  // of the store, when this view was read
    std::optional<LeaderRecord> leader;
    std::map<MemberName, Member> members;
    bool initialize_exists = false;      // somebody bootstraps, or has
    std::optional<SystemId> initialize;  // known once the bootstrap is done
    LeaseId
        initialize_lease;  // while a pgherd member bootstraps: its lease, so that a dead one is no obstacle
    std::optional<Revision> config_revision;  // absent = no configuration yet
    std::optional<DynamicConfig> config;      // absent when missing or not understood
    std::string config_error;                 // why it was not understood
    std::optional<FailoverRequest> failover;
    SyncRecord sync;
    StatusRecord status;
    std::vector<HistoryLine> history;
    TimelineClaim claim;
    std::map<MemberName, std::string> failsafe;  // member -> api_url

    bool unlocked() const { return !leader || leader->name.empty(); }
    bool led_by(const MemberName& name) const { return leader && leader->name == name; }
    const Member* member(const MemberName& name) const;
    const Member* leader_member() const;
};

}  // namespace pgherd
