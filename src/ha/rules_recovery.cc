// This member has the lock and PostgreSQL is down: after a planned stop, or after a crash.
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

// A member that comes back from the death of all its processes (it did not lead under this lock itself)
// leaves the lock to a standby that is ready: that serves sooner than its own crash recovery, and the start
// may fail.
bool gives_up(const Facts& f) {
    if (!f.memory.led || f.memory.unfit) return true;
    return f.start_failed || f.start_expired || f.seen.config.primary_start_timeout <= Duration::zero();
}

bool may_start_in_place(const Facts& f) {
    return f.memory.led && f.former_primary && !f.standby_cluster && f.now < f.stop_at;
}

constexpr Rule kOwnLock[] = {
    {"guard-refuses",
     "The lock is recorded as ours, but the guard does not take its deadline (a watchdog is required and "
     "missing, say): give the lock back.",
     "Patroni 4.6 U3, DESIGN 2", false,
     [](const Facts& f) { return !f.lock_held && !f.seen.watchdog_usable && !f.may_write; }, release_lock},

    {"own-lock-not-confirmed",
     "The lock is recorded as ours, but no renewal has confirmed that it still is: renew it, and do nothing "
     "that needs it.",
     "DESIGN 2, Patroni 4.7 L3", true, [](const Facts& f) { return !f.lock_held; },
     [](const Facts& f, Decision& d) { keep_lock(f, d); }},
};

constexpr Rule kRecovery[] = {
    {"release-after-clean-stop",
     "A planned switchover: nothing can be written here any more, release the lock.", "Patroni 4.12 graceful",
     true, [](const Facts& f) { return f.memory.handing_over_to && f.clean; }, release_lock},

    {"failover-after-a-crash",
     "The primary crashed, is not to be restarted here (any longer), and another member can take over: "
     "release the lock.",
     "Patroni 4.4 R1, 4.1 C8", false,
     [](const Facts& f) { return gives_up(f) && f.failover_known && f.failover_possible; }, release_lock},

    {"ask-before-failing-over",
     "The primary crashed and is not to be restarted: ask whether another member can take over.",
     "Patroni 4.4 R1", false, [](const Facts& f) { return gives_up(f) && !f.failover_known; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, AskPeers{f.race.others});
     }},

    {"start-back-off", "The last start failed a moment ago: wait before the next.", "DESIGN 3.4", false,
     [](const Facts& f) { return f.backed_off; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         if (gives_up(f)) ask_peers_again(f, d);
         wake_at(d, *f.memory.retry_after);
     }},

    {"start-in-place",
     "The primary went down and the lock was never lost: start it again on the same timeline.",
     "Patroni 4.4 R2", false, may_start_in_place,
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         // An unclean end of a planned stop ends the switchover.
         if (f.memory.handing_over_to && f.request.wanted) act(d, ClearRequest{f.request.wanted->modified});
         act(d, StartPrimary{});
     }},

    {"start-as-a-standby-first",
     "This member has the lock but did not run as a primary under it: start as a standby, then promote.",
     "Patroni 4.4 R4", false, [](const Facts&) { return true; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, StartStandby{});
     }},
};

}  // namespace

constinit const std::span<const Rule> kOwnLockRules = kOwnLock;
constinit const std::span<const Rule> kRecoveryRules = kRecovery;

}  // namespace pgherd::ha
