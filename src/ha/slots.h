// Physical replication slots: which ones a member keeps, and how far standbys may advance them (reference:
// Patroni 4.1, slots).
#pragma once

#include <map>
#include <string>

#include "base/lsn.h"
#include "base/strong.h"
#include "model/cluster.h"

namespace pgherd::ha {

// Patroni's: lower case; '-' and '.' become '_', other characters "u" and their number, in at least four
// decimal digits; cut to 63. (Patroni also lowers the case of letters beyond ASCII.)
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

// Name -> position; 0: "from now on" for a new slot, untouched for an old one. That is so on a primary, and
// on a standby for the members that stream from it. A standby that may lead keeps the slots of the leader's
// standbys as well, at what the leader published, so that a failover does not lose their WAL.
std::map<std::string, Lsn> wanted_slots(const SlotInput& input);

}  // namespace pgherd::ha
