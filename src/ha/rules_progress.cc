// Something is already under way: an operation of PostgreSQL, a start or stop by itself, or a store that does
// not answer.
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

// Processes that wait for a disk do not even die of SIGKILL before it answers; nor do they run again.
bool held_by_its_disk(const Facts& f) {
    return f.memory.unfit && f.seen.running->operation == Operation::stop;
}

constexpr Rule kInFlight[] = {
    {"stop-does-not-end",
     "The primary that could not serve has been ended, and its processes are not gone (their disk hangs): "
     "let "
     "the lease run out, for which the guard stands in, so that another member can lead.",
     "DESIGN 3.4", false,
     [](const Facts& f) { return held_by_its_disk(f) && f.now >= f.seen.running->since + kUnfitStop; },
     [](const Facts& f, Decision& d) {
         say(d, "{} in progress, and the lock is not renewed", to_string(f.seen.running->operation));
     }},

    {"operation-in-progress", "An operation of PostgreSQL runs: keep the lock and wait for its end.",
     "Patroni 4.2", false, [](const Facts&) { return true; },
     [](const Facts& f, Decision& d) {
         say(d, "{} in progress", to_string(f.seen.running->operation));
         keep_lock(f, d);
         if (f.entitled) wake_at(d, f.stop_at);
         if (held_by_its_disk(f)) wake_at(d, f.seen.running->since + kUnfitStop);
     }},
};

constexpr Rule kSilence[] = {
    {"store-silent-while-paused", "The store is silent and the cluster is paused: change nothing.",
     "Patroni 4.10", false, [](const Facts& f) { return f.paused; }, keep_lock},

    {"store-silent-leader", "The store is silent and the lease runs: stay primary and keep trying to renew.",
     "Patroni 4.10, DESIGN 3.4", false, [](const Facts& f) { return f.primary && f.entitled; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         wake_at(d, f.stop_at);
     }},

    {"store-silent-former-leader",
     "The store is silent and the former primary is stopped: start it as a standby that follows nobody, for "
     "readers.",
     "Patroni 4.10", false,
     [](const Facts& f) {
         return f.down && f.data_valid && f.seen.pg.control && f.memory.was_primary && !f.backed_off &&
                !f.memory.bootstrapping;
     },
     [](const Facts&, Decision& d) { act(d, StartStandby{}); }},

    {"store-silent", "The store is silent: nothing can be decided, go on as before.", "Patroni 4.10", false,
     [](const Facts&) { return true; }, keep_lock},
};

constexpr Rule kTransition[] = {
    {"starting", "PostgreSQL is starting: keep the lock and wait.", "Patroni 4.3", false,
     [](const Facts& f) { return f.starting; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         if (f.start_deadline && !f.start_expired) wake_at(d, *f.start_deadline);
     }},

    {"stopping", "PostgreSQL is stopping: keep the lock until nothing can be written any more.",
     "Patroni 4.12", false, [](const Facts&) { return true; }, keep_lock},
};

}  // namespace

constinit const std::span<const Rule> kInFlightRules = kInFlight;
constinit const std::span<const Rule> kSilenceRules = kSilence;
constinit const std::span<const Rule> kTransitionRules = kTransition;

}  // namespace pgherd::ha
