// Who may run a primary at all: asked before anything else, whatever is under way.
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

bool writes_unasked(const Facts& f) {
    return f.may_write && !f.paused && !f.stopping;
}

bool recovers_too_long(const Facts& f) {
    // A user's restart has a timeout of its own; "fail over at once after a crash" is not about it.
    bool restarts = f.busy && f.seen.running->operation == Operation::restart;
    bool at_once = f.seen.config.primary_start_timeout <= Duration::zero();
    return f.start_expired && f.lock_held && f.may_write && !f.stopping && !f.paused &&
           !(restarts && at_once);
}

constexpr Rule kRules[] = {
    {"waiting-for-the-store", "The store was never read since the agent started: touch nothing.",
     "Patroni 4.10", false, [](const Facts& f) { return !f.store_read; }, nothing},

    {"another-leads", "A primary here while another member has the lock: stop it at once.", "Patroni 4.7 L4",
     true, [](const Facts& f) { return writes_unasked(f) && f.another_leads; },
     [](const Facts& f, Decision& d) {
         say(d, "stopping the primary: {} has the lock", f.leader.text());
         act(d, Stop{StopKind::immediate});
     }},

    {"lock-lost", "The lock was lost while PostgreSQL is, or is about to be, a primary: stop it at once.",
     "Patroni 4.2, 4.3, 4.7 L3", true,
     [](const Facts& f) { return writes_unasked(f) && !f.entitled && (f.memory.led || f.makes_a_primary); },
     [](const Facts&, Decision& d) { act(d, Stop{StopKind::immediate}); }},

    {"demote-before-the-lease-ends",
     "The lease was not renewed and ends soon: stop the primary while it still holds, so that nobody has to "
     "kill it.",
     "Patroni 4.10, DESIGN 3.7 (6)", true,
     [](const Facts& f) { return writes_unasked(f) && f.entitled && f.memory.led && f.now >= f.stop_at; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, Stop{f.busy || !f.primary ? StopKind::immediate : StopKind::offline});
     }},

    {"start-took-too-long",
     "The primary was not up again within primary_start_timeout and another member could take over: give up.",
     "Patroni 4.3", false,
     [](const Facts& f) { return recovers_too_long(f) && f.failover_known && f.failover_possible; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, Stop{StopKind::immediate});
     }},

    {"start-takes-too-long",
     "The primary is not up after primary_start_timeout: ask whether another member could take over.",
     "Patroni 4.3", false, recovers_too_long,
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         ask_peers_again(f, d);
     }},
};

}  // namespace

constinit const std::span<const Rule> kAuthorityRules = kRules;

}  // namespace pgherd::ha
