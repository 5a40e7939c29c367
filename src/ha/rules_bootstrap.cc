// From nothing to a data directory of this cluster: who initializes, who clones, and what is never touched.
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

bool absent(const Facts& f) {
    return f.seen.pg.data == DataDirectory::absent && f.down;
}
bool incomplete(const Facts& f) {
    return f.seen.pg.data == DataDirectory::incomplete && f.down;
}
bool never_touched(const Facts& f) {
    return f.seen.pg.data == DataDirectory::foreign ||
           (f.seen.pg.data == DataDirectory::unreadable && f.down);
}
// Never started as it is, and not to be replaced either.
bool kept_half_rewound(const Facts& f) {
    return incomplete(f) && f.seen.pg.half_rewound && !f.seen.self.remove_data_on_rewind_failure;
}
bool has_been_led(const Facts& f) {
    return !f.view.sync.empty() || f.view.claim.modified != Revision() || !f.view.history.empty();
}
bool not_initialized(const Facts& f) {
    return f.unlocked && !f.view.initialize && f.data_valid && !f.paused;
}

// The race of a new cluster is won, and PostgreSQL has not failed since.
constexpr int kBootstrapAttempts = 3;

constexpr Rule kBootstrap[] = {
    {"bootstrap-failed-for-now",
     "The new cluster could not be initialized: let others try, and try again after a while, three times at "
     "most.",
     "DESIGN 3.6", false,
     [](const Facts& f) {
         // A later attempt begins with the failure of the one before still in sight.
         return f.down && !f.standby_cluster && failed_bootstrap(f) && f.backed_off &&
                f.memory.failed_bootstraps < kBootstrapAttempts;
     },
     [](const Facts& f, Decision& d) {
         if (f.seen.initialize_mine) act(d, DropInitialize{});
         wake_at(d, *f.memory.retry_after);
     }},

    {"bootstrap-failed",
     "The new cluster could not be initialized for the third time: let others try, and end.", "Patroni 4.5",
     false,
     [](const Facts& f) {
         return f.down && !f.standby_cluster && failed_bootstrap(f) &&
                f.memory.failed_bootstraps >= kBootstrapAttempts;
     },
     [](const Facts& f, Decision& d) {
         if (f.seen.initialize_mine) act(d, DropInitialize{});
         act(d, Exit{"cannot initialize the cluster: " + f.seen.finished->error});
     }},

    {"another-member-initialized-the-cluster",
     "What was initialized here was never registered, and another member has made the cluster meanwhile: "
     "move it aside.",
     "DESIGN 3.6", false,
     [](const Facts& f) {
         return (f.memory.bootstrapping || f.seen.pg.unregistered) && f.wrong_system && !f.paused &&
                !f.backed_off;
     },
     [](const Facts& f, Decision& d) {
         if (f.down)
             act(d, Quarantine{});
         else
             act(d, Stop{StopKind::immediate});
     }},

    {"new-cluster-takes-the-lock", "The new cluster's primary runs: record its system id and take the lock.",
     "Patroni 4.5", false,
     [](const Facts& f) { return f.primary && f.unlocked && f.system_id && !f.wrong_system; },
     [](const Facts& f, Decision& d) {
         act(d, RenewLock{});
         if (!f.view.initialize) act(d, WriteInitialize{*f.system_id});
         if (!f.view.config_revision) act(d, WriteConfig{});
         act(d, AcquireLock{});
     }},

    {"standby-cluster-is-cloned", "The new standby cluster's data is there: record its system id.",
     "Patroni 4.5, 3.8", false,
     [](const Facts& f) {
         return f.standby_cluster && f.data_valid && f.system_id && f.seen.initialize_mine;
     },
     [](const Facts& f, Decision& d) {
         act(d, RenewLock{});
         act(d, WriteInitialize{*f.system_id});
         if (!f.view.config_revision) act(d, WriteConfig{});
     }},

    {"new-cluster-recovers", "The new cluster's primary is not there yet: wait.", "Patroni 4.5", false,
     [](const Facts& f) { return f.memory.bootstrapping && !f.standby_cluster && !f.down; }, keep_lock},
};

constexpr Rule kData[] = {
    {"data-directory-is-not-ours",
     "The data directory holds something that is no instance, or PostgreSQL is down and it cannot be read: "
     "touch nothing, and do not keep the lock. What runs in a directory that cannot be read runs on.",
     "Patroni 4.1 C9, DESIGN 3.6", true, never_touched,
     [](const Facts& f, Decision& d) {
         say(d, "the data directory {}; nothing is done before that is repaired",
             f.seen.pg.data == DataDirectory::foreign ? "is not empty and holds no instance"
                                                      : "cannot be read");
         d.needs_operator = f.seen.pg.data == DataDirectory::foreign;
         if (f.down)
             release_lock(f, d);
         else if (f.primary && f.lock_recorded && !f.paused)
             act(d, Stop{StopKind::immediate});
     }},

    {"paused-without-data", "No data directory in a paused cluster: wait for the end of the pause.",
     "Patroni 4.1 C9", false, [](const Facts& f) { return f.paused && (absent(f) || incomplete(f)); },
     release_lock},

    {"lock-without-data", "This member has the lock but no data: give the lock back.", "Patroni 4.1 C9",
     false, [](const Facts& f) { return f.lock_recorded && (absent(f) || incomplete(f)); }, release_lock},

    {"half-rewound-hold",
     "A rewind was interrupted, and the data directory is to be kept: an operator must reinitialize this "
     "member.",
     "Patroni 4.9, DESIGN 3.6", false, kept_half_rewound,
     [](const Facts&, Decision& d) {
         hold(d, "a rewind was interrupted, so that the data directory cannot be started",
              "remove_data_directory_on_rewind_failure");
     }},

    {"data-back-off",
     "The last attempt to fill the data directory failed a moment ago: wait before the next.", "DESIGN 3.6",
     false, [](const Facts& f) { return f.backed_off && (absent(f) || incomplete(f)); },
     [](const Facts& f, Decision& d) { wake_at(d, *f.memory.retry_after); }},

    {"clear-an-incomplete-directory",
     "A clone, rewind or initialization was interrupted: move its remains aside.", "DESIGN 3.6", false,
     [](const Facts& f) {
         return incomplete(f) &&
                (f.another_leads || f.seen.initialize_mine || (f.unlocked && !f.view.initialize_exists));
     },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, Quarantine{});
     }},

    {"stop-a-half-made-server",
     "PostgreSQL runs in a directory whose initialization was interrupted: stop it, so that it can be "
     "cleared.",
     "DESIGN 3.6", false,
     [](const Facts& f) {
         return f.seen.pg.data == DataDirectory::incomplete && !f.down && !f.memory.bootstrapping &&
                !f.paused;
     },
     [](const Facts&, Decision& d) { act(d, Stop{StopKind::immediate}); }},

    {"clone", "Another member leads and there is no data here: clone.", "Patroni 4.5", false,
     [](const Facts& f) { return absent(f) && f.another_leads && f.rejoin.source_ready; },
     [](const Facts& f, Decision& d) {
         say(d, "cloning from {}", f.rejoin.clone_source.text());
         // The copy is on this leader's history. Another leader will ask again.
         d.memory.rewind = Memory::Rewind::not_needed;
         act(d, Clone{f.rejoin.clone_source});
     }},

    {"bootstrap", "This member has won the race: initialize the cluster.", "Patroni 4.5", false,
     [](const Facts& f) { return absent(f) && f.unlocked && f.seen.initialize_mine; },
     [](const Facts& f, Decision& d) {
         d.memory.bootstrapping = true;
         act(d, RenewLock{});
         if (f.standby_cluster)
             act(d, Clone{});
         else
             act(d, Bootstrap{});
     }},

    {"a-cluster-was-here",
     "No cluster is registered, but the store has what only a leader writes (a synchronous set, a timeline, "
     "a "
     "history): wait for the member that has the data.",
     "DESIGN 3.7 (1)", true,
     [](const Facts& f) { return absent(f) && f.unlocked && !f.view.initialize_exists && has_been_led(f); },
     nothing},

    {"race-to-initialize", "There is no cluster yet: try to be the one that initializes it.", "Patroni 4.5",
     false,
     [](const Facts& f) {
         return absent(f) && f.unlocked && !f.view.initialize_exists && f.seen.self.may_bootstrap &&
                f.seen.self.may_lead;
     },
     [](const Facts&, Decision& d) { act(d, TakeInitialize{}); }},

    {"clone-without-a-leader", "Nobody leads, but a method that needs no leader is configured: use it.",
     "Patroni 4.5", false,
     [](const Facts& f) {
         return absent(f) && f.unlocked && f.view.initialize && f.seen.self.bootstrap_without_leader;
     },
     [](const Facts&, Decision& d) { act(d, Clone{}); }},

    {"waiting-for-a-leader", "No data here and nothing to clone from: wait for a leader.", "Patroni 4.5",
     false, [](const Facts& f) { return absent(f) || incomplete(f); }, nothing},

    {"system-id-mismatch", "The data directory belongs to another cluster: stop acting for this one.",
     "Patroni 4.1 C11", true, [](const Facts& f) { return f.wrong_system; },
     [](const Facts& f, Decision& d) {
         say(d, "the data directory has system id {}, the cluster {}", f.system_id->value(),
             f.view.initialize->value());
         if (f.primary && f.lock_recorded && !f.paused) return act(d, Stop{StopKind::immediate});
         if (!f.primary) release_lock(f, d);
         if (!f.paused) act(d, Exit{"cannot join the cluster: " + d.text});
     }},

    {"control-data-unknown", "PostgreSQL is stopped and its control data is not known yet: wait.",
     "Patroni 4.1 C10", false, [](const Facts& f) { return f.down && f.data_valid && !f.seen.pg.control; },
     keep_lock},

    {"adopt-the-data-directory",
     "An instance, and no cluster in the store: this instance becomes the cluster.", "Patroni 4.1 C12", false,
     [](const Facts& f) {
         bool free = !f.view.initialize_exists || f.seen.initialize_mine;
         bool unmanaged_standby =
             f.standby && !f.seen.pg.unregistered && (f.seen.pg.streaming() || !f.memory.seen_initialized);
         return not_initialized(f) && free && f.system_id && f.seen.self.may_lead && !unmanaged_standby;
     },
     [](const Facts& f, Decision& d) {
         act(d, RenewLock{});
         if (f.seen.initialize_mine)
             act(d, WriteInitialize{*f.system_id});
         else
             act(d, TakeInitialize{});
     }},

    {"not-initialized", "An instance, and no cluster in the store yet: its primary must register first.",
     "Patroni 4.1 C12", false, not_initialized, nothing},
};

}  // namespace

constinit const std::span<const Rule> kBootstrapRules = kBootstrap;
constinit const std::span<const Rule> kDataRules = kData;

}  // namespace pgherd::ha
