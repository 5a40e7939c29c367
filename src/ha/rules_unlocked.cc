// Nobody leads: who may take the lock. Every rule before the last is a reason not to.
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

Duration chance(const Facts& f) {
    return std::min<Duration>(kHandover, f.seen.config.ttl);
}

// A primary that must not take the lock has no right to go on; a standby just waits.
void stay_out(const Facts& f, Decision& d) {
    if (f.primary && !f.paused) act(d, Stop{StopKind::immediate});
}

void stay_out_for_now(const Facts& f, Decision& d) {
    stay_out(f, d);
    if (!f.primary || f.paused) ask_peers_again(f, d);
}

void stay_out_because(const Facts& f, Decision& d, const MemberName& peer, std::string_view why) {
    say(d, "not taking the lock: {} {}", peer.text(), why);
    stay_out_for_now(f, d);
}

constexpr Rule kDown[] = {
    {"handover-waits",
     "The lock was released for another member: stay down until that one leads, or its chance is over.",
     "Patroni 4.12", false, [](const Facts& f) { return f.down && f.race.stands_back; },
     [](const Facts& f, Decision& d) {
         if (f.memory.handover_released) wake_at(d, *f.memory.handover_released + chance(f));
     }},

    {"start-without-a-leader-back-off", "The last start failed a moment ago: wait before the next.",
     "DESIGN 3.4", false, [](const Facts& f) { return f.down && f.backed_off; },
     [](const Facts& f, Decision& d) { wake_at(d, *f.memory.retry_after); }},

    {"start-without-a-leader",
     "PostgreSQL is down and nobody leads: start it as a standby, so that it can take part in the race.",
     "Patroni 4.4 R6", false, [](const Facts& f) { return f.down; },
     [](const Facts&, Decision& d) { act(d, StartStandby{}); }},

    {"role-unknown", "PostgreSQL runs, but has not said whether it is a primary: wait.", "Patroni 4.1 E2",
     false, [](const Facts& f) { return !f.primary && !f.standby; }, nothing},
};

constexpr Rule kRace[] = {
    {"not-allowed-to-lead", "The tags of this member forbid it to lead.", "Patroni 4.6 H5", false,
     [](const Facts& f) { return !f.seen.self.may_lead; }, stay_out},

    {"failsafe-leader-lives", "A leader that lost the store told us that it goes on: do not race.",
     "Patroni 4.10", true, [](const Facts& f) { return !f.primary && f.failsafe_leader_lives; },
     [](const Facts& f, Decision& d) { wake_at(d, f.seen.failsafe_leader_until); },
     "not-beside-a-failsafe-leader"},

    {"promotion-failed-recently", "A promotion failed here less than ttl ago: leave the lock to others.",
     "Patroni 4.6 H1", false,
     [](const Facts& f) {
         return f.memory.pre_promote_failed && f.now < *f.memory.pre_promote_failed + f.seen.config.ttl;
     },
     [](const Facts& f, Decision& d) {
         // It may have succeeded after all, too late.
         stay_out(f, d);
         wake_at(d, *f.memory.pre_promote_failed + f.seen.config.ttl);
     }},

    {"watchdog-unusable",
     "The guard has refused to enforce a lock here (a watchdog is required and missing, say): a lock taken "
     "here "
     "would help nobody.",
     "Patroni 4.6 H7", false, [](const Facts& f) { return !f.seen.watchdog_usable; }, stay_out},

    {"failsafe-forbids",
     "This member is not in the last leader's failsafe list, or its agent may have forgotten whom it "
     "confirmed, "
     "and a member of that list, which may lead on without the store, has not been heard.",
     "Patroni 4.6 H8", true, [](const Facts& f) { return f.race.failsafe_forbids; }, stay_out_for_now,
     "not-beside-a-failsafe-leader"},

    {"stands-back-after-handover", "This member has handed over: the candidate goes first for a while.",
     "Patroni 4.8", false, [](const Facts& f) { return f.race.stands_back; },
     [](const Facts& f, Decision& d) {
         if (f.memory.handover_released) wake_at(d, *f.memory.handover_released + chance(f));
     }},

    {"only-the-synchronous-set-may-lead",
     "Synchronous mode, and this member is not in the synchronous set: it may lack commits.",
     "Patroni 4.6 H9", true, [](const Facts& f) { return !f.race.synchronous_set_allows; }, stay_out,
     "won-on-an-old-picture"},

    {"lags-behind-the-last-leader",
     "This member lacks more than maximum_lag_on_failover of what the last leader wrote.", "Patroni 4.6 H10",
     false, [](const Facts& f) { return f.race.lags && !f.request.ignores_lag; }, stay_out},

    {"timeline-is-too-low", "The cluster has been on a higher timeline than this member.",
     "Patroni 4.6 H4, H11", false,
     [](const Facts& f) { return f.race.timeline_too_low && !f.request.wants_me; }, stay_out},

    {"ask-before-taking-the-lock",
     "The other members have not been asked since the cluster became unlocked: ask them.", "Patroni 4.6 H12",
     true, [](const Facts& f) { return !f.race.answered; },
     [](const Facts& f, Decision& d) { act(d, AskPeers{f.race.others}); }},

    {"candidate-goes-first", "An operator wants another member to lead, and that one is there.",
     "Patroni 4.8", false, [](const Facts& f) { return f.request.candidate_lives.has_value(); },
     [](const Facts& f, Decision& d) {
         say(d, "not taking the lock: {} is to lead", f.request.candidate_lives->text());
         ask_peers_again(f, d);
     }},

    {"another-primary-is-reachable", "Another member still runs as a primary.", "Patroni 4.6 H13", true,
     [](const Facts& f) { return f.race.primary.has_value(); },
     [](const Facts& f, Decision& d) {
         if (f.race.primary_is_newer)
             return stay_out_because(f, d, *f.race.primary, "is a primary on a newer timeline");
         say(d, "not taking the lock: {} is still a primary", f.race.primary->text());
         ask_peers_again(f, d);
     }},

    {"ahead-peer-blocks-promotion", "Another member that may lead has more WAL.",
     "Patroni 4.6 H14, DESIGN 3.7 (5)", true,
     [](const Facts& f) { return f.race.ahead && !f.request.wants_me; },
     [](const Facts& f, Decision& d) { stay_out_because(f, d, *f.race.ahead, "has more WAL"); }},

    {"preferred-peer-goes-first", "Another member has as much WAL and a higher priority.", "Patroni 4.6 H15",
     false, [](const Facts& f) { return f.race.preferred && !f.request.wants_me; },
     [](const Facts& f, Decision& d) { stay_out_because(f, d, *f.race.preferred, "has a higher priority"); }},

    {"voters-may-keep-the-last-leader",
     "Too few voters have said that they have not confirmed the last leader, which may lead on without the "
     "store: "
     "also an operator's wish waits, until failsafe_mode is switched off.",
     "DESIGN 3.4", true, [](const Facts& f) { return f.race.voters_may_keep_leader; },
     [](const Facts& f, Decision& d) {
         say(d, "not taking the lock: {} may lead on without the store, by the word of members that {}",
             f.view.sync.leader.text(),
             f.request.wants_me ? "have not been heard (failsafe_mode off overrides this)"
                                : "have not been heard");
         stay_out_for_now(f, d);
     },
     "not-beside-a-failsafe-leader"},

    {"too-few-votes", "Quorum commit, and too few voters are reachable to know every acknowledged commit.",
     "Patroni 4.6 H16", true, [](const Facts& f) { return !f.race.votes_suffice; }, stay_out_for_now},

    {"take-the-lock", "Nobody leads and no member is better placed: take the lock.", "Patroni 4.6 U2", false,
     [](const Facts&) { return true; }, [](const Facts&, Decision& d) { act(d, AcquireLock{}); }},
};

}  // namespace

constinit const std::span<const Rule> kUnlockedRules = kDown;
constinit const std::span<const Rule> kRaceRules = kRace;

}  // namespace pgherd::ha
