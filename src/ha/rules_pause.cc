// Pause: the cluster is in an operator's hands. Nothing starts, promotes, demotes or rewinds by itself; the
// lock stays with a running primary.
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

bool asked_to_lead(const Facts& f) {
    return f.request.wanted && f.request.wanted->candidate == f.self() && !f.request.wanted->scheduled_at &&
           f.seen.self.may_lead;
}

constexpr Rule kRules[] = {
    {"paused-postgres-down", "PostgreSQL is down in a paused cluster: leave it so, and give the lock back.",
     "Patroni 4.1 C13", false, [](const Facts& f) { return f.down; }, release_lock},

    {"paused-not-primary",
     "A standby has the lock of a paused cluster without an operator's wish: give the lock back.",
     "Patroni 4.7 L1", false,
     [](const Facts& f) { return f.lock_recorded && f.standby && !f.standby_cluster && !asked_to_lead(f); },
     release_lock},

    {"paused-primary-without-lock",
     "A primary in a paused cluster that another member leads: leave it to the operator.",
     "Patroni 3.8, 4.7 L3", false, [](const Facts& f) { return f.another_leads && f.primary; }, nothing},

    {"paused-standby", "A standby in a paused cluster without a leader: take no part in a race.",
     "Patroni 4.6 H5", false, [](const Facts& f) { return f.unlocked && f.standby && !asked_to_lead(f); },
     nothing},
};

}  // namespace

constinit const std::span<const Rule> kPauseRules = kRules;

}  // namespace pgherd::ha
