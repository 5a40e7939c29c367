// Another member leads: come back with a data directory on its history, and follow it.
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

using RewindState = Memory::Rewind;

// Without pg_rewind a diverged data directory is replaced by a clone, so there must be something to clone
// from, and it must be allowed.
bool remedy(const Facts& f) {
    return f.seen.self.can_rewind || (f.seen.self.remove_data_on_divergence && f.rejoin.source_ready);
}

bool kept_diverged(const Facts& f) {
    return f.memory.rewind == RewindState::needed && !f.seen.self.can_rewind &&
           !f.seen.self.remove_data_on_divergence;
}

void hold_diverged(const Facts& f, Decision& d) {
    hold(d,
         fmt::format("the data has what {} does not have, pg_rewind cannot be used (use_pg_rewind, and "
                     "checksums or wal_log_hints)",
                     f.leader.text()),
         "remove_data_directory_on_diverged_timelines");
}

std::string rewind_error(const Facts& f) {
    const auto& finished = f.seen.finished;
    bool known = finished && finished->operation == Operation::rewind && !finished->ok;
    return known ? "pg_rewind failed (" + finished->error + ")" : "pg_rewind failed";
}

bool quarantine_failed(const Facts& f) {
    const auto& finished = f.seen.finished;
    return finished && finished->operation == Operation::quarantine && !finished->ok;
}

void ask_upstream(const Facts& f, Decision& d) {
    if (f.rejoin.ask_due)
        act(d, AskUpstream{f.leader});
    else if (f.seen.upstream)
        wake_at(d, f.seen.upstream->at + kAskUpstreamAgain);
}

constexpr Rule kRejoin[] = {
    {"quarantine-back-off",
     "The data directory could not be moved aside a moment ago: wait before the next attempt.", "DESIGN 3.6",
     false, [](const Facts& f) { return f.backed_off && quarantine_failed(f); },
     [](const Facts& f, Decision& d) { wake_at(d, *f.memory.retry_after); }},

    {"rewind-failed", "pg_rewind failed: move the data directory aside, so that a clone can replace it.",
     "Patroni 4.9, DESIGN 3.6", false,
     [](const Facts& f) {
         return f.memory.rewind == RewindState::failed && f.seen.self.remove_data_on_rewind_failure;
     },
     [](const Facts&, Decision& d) { act(d, Quarantine{}); }},

    {"rewind-failed-hold",
     "pg_rewind failed and the data directory is to be kept: an operator must reinitialize this member.",
     "Patroni 4.9", false, [](const Facts& f) { return f.memory.rewind == RewindState::failed; },
     [](const Facts& f, Decision& d) {
         hold(d, rewind_error(f), "remove_data_directory_on_rewind_failure");
     }},

    {"diverged-keep",
     "The timelines have diverged, pg_rewind cannot be used, and the data directory is to be kept: an "
     "operator must reinitialize this member.",
     "Patroni 4.9", false, kept_diverged, hold_diverged},

    {"diverged-hold",
     "The timelines have diverged, pg_rewind cannot be used, and nobody can be cloned yet: keep the data and "
     "wait.",
     "DESIGN 3.6", false, [](const Facts& f) { return f.memory.rewind == RewindState::needed && !remedy(f); },
     nothing},

    {"diverged-without-rewind",
     "The timelines have diverged and pg_rewind cannot be used: move the data directory aside, so that a "
     "clone can replace it.",
     "DESIGN 3.6", false,
     [](const Facts& f) { return f.memory.rewind == RewindState::needed && !f.seen.self.can_rewind; },
     [](const Facts&, Decision& d) { act(d, Quarantine{}); }},

    {"rewind-waits-for-the-leaders-checkpoint",
     "A rewind is needed, but the leader has not finished its first checkpoint on the new timeline: wait.",
     "Patroni 4.9", true,
     [](const Facts& f) { return f.memory.rewind == RewindState::needed && !f.rejoin.leader_checkpointed; },
     nothing},

    {"rewind-back-off",
     "The leader was out of reach for the rewind, or it could not be begun here: wait before the next "
     "attempt. After some of them, or when pg_rewind says that it cannot be, the rewind has failed.",
     "DESIGN 3.6", false,
     [](const Facts& f) {
         return f.memory.rewind == RewindState::needed && f.memory.failed_rewinds > 0 && f.backed_off;
     },
     [](const Facts& f, Decision& d) { wake_at(d, *f.memory.retry_after); }},

    {"rewind", "The timelines have diverged: rewind to the leader's history.", "Patroni 4.9", false,
     [](const Facts& f) { return f.memory.rewind == RewindState::needed; },
     [](const Facts& f, Decision& d) {
         say(d, "rewinding to the history of {}", f.leader.text());
         act(d, Rewind{f.leader});
     }},

    {"ask-for-the-leaders-history",
     "A former primary may be ahead of the leader's history: find out before it starts.", "Patroni 4.9", true,
     [](const Facts& f) { return f.memory.rewind == RewindState::check && f.former_primary; }, ask_upstream,
     "ask-before-following"},

    {"rejoin-back-off", "The last start failed a moment ago: wait before the next.", "DESIGN 3.4", false,
     [](const Facts& f) { return f.backed_off; },
     [](const Facts& f, Decision& d) { wake_at(d, *f.memory.retry_after); }},

    {"start-as-a-standby", "Another member leads: start as its standby.", "Patroni 4.4 R6", false,
     [](const Facts&) { return true; },
     [](const Facts& f, Decision& d) {
         say(d, "starting as a standby of {}", f.leader.text());
         act(d, StartStandby{f.rejoin.upstream});
     }},
};

constexpr Rule kReplica[] = {
    {"diverged-standby",
     "The standby has more of its timeline than the leader's history: stop it for a rewind.", "Patroni 4.9",
     true,
     [](const Facts& f) {
         return f.standby && f.memory.rewind == RewindState::needed && remedy(f) && !f.paused;
     },
     [](const Facts&, Decision& d) { act(d, Stop{StopKind::standby}); }},

    {"diverged-standby-keep",
     "The standby has more of its timeline than the leader's history, pg_rewind cannot be used, and its data "
     "is to be kept: it runs on for readers, until an operator reinitializes it.",
     "Patroni 4.9", false, [](const Facts& f) { return f.standby && kept_diverged(f); }, hold_diverged},

    {"ask-before-following",
     "A new leader: find out whether this standby is on its history before following it.", "Patroni 4.9",
     true,
     [](const Facts& f) { return f.standby && f.memory.rewind == RewindState::check && !f.standby_cluster; },
     ask_upstream},

    {"follow-the-leader", "The standby streams from somebody else: point it to the leader.", "Patroni 4.7 L5",
     false,
     [](const Facts& f) {
         return f.standby && !f.rejoin.follows && !f.backed_off && f.memory.rewind != RewindState::needed;
     },
     [](const Facts& f, Decision& d) {
         say(d, "following the leader {}", f.leader.text());
         act(d, Follow{f.rejoin.upstream});
     }},

    {"ask-why-nothing-streams",
     "The standby points to its leader and nothing streams: compare the histories again.", "Patroni 4.9",
     false,
     [](const Facts& f) {
         bool pointed = f.standby && f.rejoin.follows && !f.rejoin.upstream.empty();
         return pointed && !f.seen.pg.streaming() && f.memory.rewind == RewindState::not_needed &&
                f.rejoin.upstream_known && f.now - f.seen.upstream->at >= kCompareAgain;
     },
     [](const Facts& f, Decision& d) {
         d.memory.rewind = RewindState::check;
         act(d, AskUpstream{f.leader});
     }},

    {"following", "A standby that follows its leader: nothing to do.", "Patroni 4.7 L5", false,
     [](const Facts&) { return true; },
     [](const Facts& f, Decision& d) { say(d, "a standby, following the leader {}", f.leader.text()); }},
};

}  // namespace

constinit const std::span<const Rule> kRejoinRules = kRejoin;
constinit const std::span<const Rule> kReplicaRules = kReplica;

}  // namespace pgherd::ha
