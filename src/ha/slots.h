// Physical replication slots: which ones a member keeps, and how far standbys may advance them (reference:
// Patroni 4.1, slots).
#pragma once

#include <map>
#include <string>

#include "base/lsn.h"
#include "base/strong.h"
#include "model/cluster.h"

namespace pgherd::ha {

// Lower case; '-' and '.' become '_', other characters "uXXXX"; cut to 63.
std::string slot_name(const MemberName& member);

struct SlotInput {
    MemberName self;
    bool primary = false;
    bool may_lead = true;
    const ClusterView* cluster;
    const DynamicConfig* config;
    // Members that are gone from the store since when; their slots are kept for member_slots_ttl.
    std::map<MemberName, Instant> gone;
    Instant now;
};

// Name -> position. On a primary the position is 0: "from now on" for a new slot, untouched for an old one. A
// standby that may lead keeps the other members' slots at what the leader published, so that a failover does
// not lose their WAL.
std::map<std::string, Lsn> wanted_slots(const SlotInput& input);

}  // namespace pgherd::ha
