// This member has the lock, confirmed, and PostgreSQL runs: lead, hand over, or become a primary first.
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

const FailoverRequest* request(const Facts& f) {
    return f.standby_cluster ? nullptr : f.request.wanted;
}

void perform_step(Decision& d, const syncrep::Step& step) {
    if (const auto* swap = std::get_if<syncrep::SwapRecord>(&step)) act(d, WriteSync{swap->record});
    if (const auto* names = std::get_if<syncrep::SetNames>(&step))
        act(d, SetSynchronousStandbyNames{names->names});
}

void clear_request(const Facts& f, Decision& d, std::string_view why) {
    say(d, "dropping the request for a new leader: {}", why);
    keep_lock(f, d);
    act(d, ClearRequest{f.request.wanted->modified});
}

void hand_over(const Facts& f, Decision& d) {
    const MemberName& candidate = f.request.wanted->candidate;
    say(d, "switchover: stopping to hand over to {}", candidate.empty() ? "any member" : candidate.text());
    d.memory.handing_over_to = candidate;
    d.memory.handover_released.reset();
    d.memory.handover_timed_out = false;
    keep_lock(f, d);
    act(d, Stop{StopKind::graceful});
    if (f.off("release-after-clean-stop")) act(d, ReleaseLock{});
}

constexpr Rule kLeader[] = {
    {"leader-cannot-serve",
     "PostgreSQL runs here as the primary but has answered nothing for long (a full disk, say), or got no "
     "WAL "
     "to its disk (a disk that hangs), and another member can take over: "
     "end it, and leave the lock to the other.",
     "DESIGN 3.4", false,
     [](const Facts& f) { return f.unanswered && f.failover_known && f.failover_possible; },
     [](const Facts& f, Decision& d) {
         d.memory.unfit = true;
         keep_lock(f, d);
         act(d, Stop{StopKind::immediate});
     }},

    {"ask-who-could-serve",
     "PostgreSQL runs here as the primary but has answered nothing, or got nothing to its disk, for long: "
     "ask "
     "whether another member can take over.",
     "DESIGN 3.4", false, [](const Facts& f) { return f.unanswered && f.race.ask_again; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, AskPeers{f.race.others});
     }},

    {"leader-does-not-answer",
     "PostgreSQL runs, but has not said whether it is a primary: keep the lock and wait.", "Patroni 4.1 E2",
     false, [](const Facts& f) { return !f.primary && !f.standby; }, keep_lock},

    {"standby-cluster-stops-its-primary",
     "The cluster has become a standby cluster: its primary must follow the remote one.", "Patroni 4.7 L4",
     false, [](const Facts& f) { return f.standby_cluster && f.primary && !f.paused; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, Stop{StopKind::graceful});
     }},

    {"request-makes-no-sense", "An operator's request cannot be fulfilled by this leader: drop it.",
     "Patroni 4.8", false, [](const Facts& f) { return f.primary && request(f) && f.request.clear; },
     [](const Facts& f, Decision& d) { clear_request(f, d, f.request.clear_why); }},

    {"request-waits-for-its-time", "A switchover is scheduled: lead until then.", "Patroni 4.8", false,
     [](const Facts& f) { return f.primary && request(f) && !f.request.due; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         Duration left = *f.request.wanted->scheduled_at - f.seen.wall;
         if (left > Duration::zero()) wake_at(d, f.now + left);
     }},

    {"ask-the-candidates",
     "A switchover is due: ask whether somebody can take over before stopping anything.", "Patroni 4.8",
     false,
     [](const Facts& f) { return f.primary && request(f) && !f.request.answered && !f.race.others.empty(); },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, AskPeers{f.race.others});
     }},

    {"no-candidate", "A switchover is due, but nobody can take over: drop the request.", "Patroni 4.8", false,
     [](const Facts& f) { return f.primary && request(f) && !f.request.possible; },
     [](const Facts& f, Decision& d) { clear_request(f, d, "no healthy candidate"); }},

    {"switchover", "A switchover is due and somebody can take over: stop in an orderly way.",
     "Patroni 4.8, 4.12", false, [](const Facts& f) { return f.primary && request(f); }, hand_over},

    {"leading", "This member leads: keep the lock.", "Patroni 4.7 L2", false,
     [](const Facts& f) { return f.primary; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         wake_at(d, f.stop_at);
     }},

    {"follow-the-remote-primary", "The leader of a standby cluster streams from the remote primary.",
     "Patroni 3.8", false,
     [](const Facts& f) { return f.standby_cluster && !f.rejoin.follows && !f.backed_off; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, Follow{});
     }},

    {"leading-a-standby-cluster", "This member leads a standby cluster: keep the lock.", "Patroni 3.8", false,
     [](const Facts& f) { return f.standby_cluster; }, keep_lock},
};

constexpr Rule kPromotion[] = {
    {"must-not-promote", "This member has the lock, but its tags forbid it to lead: give the lock back.",
     "Patroni 3.6", false, [](const Facts& f) { return !f.seen.self.may_lead; }, release_lock},

    {"promotion-failed", "The promotion failed: give the lock back, and leave it to others for a while.",
     "Patroni 4.6 U3, H1", false,
     [](const Facts& f) {
         return f.memory.pre_promote_failed && f.now < *f.memory.pre_promote_failed + f.seen.config.ttl;
     },
     release_lock},

    {"won-on-an-old-picture",
     "The lock was won on a picture of the store from before another member led (it has changed the "
     "synchronous set "
     "or claimed a timeline since): give the lock back, and look again.",
     "DESIGN 3.7 (1)", true, [](const Facts& f) { return f.won_on_old_picture; }, release_lock},

    {"lease-too-short-to-promote", "The lease ends too soon for a promotion: wait for its renewal.",
     "DESIGN 3.7 (6)", false, [](const Facts& f) { return f.lock_held && f.now >= f.stop_at; }, keep_lock},

    {"not-beside-a-failsafe-leader",
     "This member has the lock, but has confirmed a leader that goes on without the store, or too few voters "
     "have "
     "said lately that they have not: ask them, or give the lock back.",
     "DESIGN 3.4", true,
     [](const Facts& f) {
         return f.failsafe_leader_lives || f.race.failsafe_forbids || f.race.voters_may_keep_leader;
     },
     [](const Facts& f, Decision& d) {
         bool heard = f.race.asked_lately || f.race.others.empty();
         if (f.failsafe_leader_lives || f.race.failsafe_forbids || heard) return release_lock(f, d);
         keep_lock(f, d);
         if (!f.race.in_progress) act(d, AskPeers{f.race.others});
     },
     "failsafe-leader-lives,failsafe-forbids,voters-may-keep-the-last-leader"},

    {"synchronous-set-before-promotion",
     "Take over the synchronous set first, so that no other member of the old one can be promoted beside "
     "this one.",
     "Patroni 4.11 prepromote", true, [](const Facts& f) { return f.before_promotion.has_value(); },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         perform_step(d, *f.before_promotion);
     }},

    {"timeline-before-promotion",
     "Claim a timeline number that nobody has used, so that no two histories have the same.",
     "DESIGN 3.3, 3.7 (10)", true, [](const Facts& f) { return !f.timeline_claimed; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, ClaimTimeline{f.unused_timeline});
     }},

    {"promote", "This member has the lock and is a standby: promote it.", "Patroni 4.6 U3", false,
     [](const Facts&) { return true; },
     [](const Facts& f, Decision& d) {
         keep_lock(f, d);
         act(d, Promote{f.timeline_claimed ? f.view.claim.timeline : Timeline{}});
     }},
};

bool leads(const Facts& f) {
    return f.lock_held && f.primary && f.seen.store_ok;
}

constexpr Rule kDuties[] = {
    {"failsafe-round",
     "The store is silent and half of the lease is gone: ask every member to confirm this leader. It goes on "
     "while "
     "n - quorum of the voters in `sync` do, or, without such a record, all members.",
     "Patroni 4.10, DESIGN 3.4", false,
     [](const Facts& f) {
         bool due = !f.memory.failsafe_asked || f.now - *f.memory.failsafe_asked >= kAskAgain;
         return !f.seen.store_ok && f.primary && f.entitled && f.seen.config.failsafe_mode && due &&
                !f.paused && f.view.failsafe.contains(f.self()) &&
                f.now >= f.entitled_until - f.seen.config.ttl / 2;
     },
     [](const Facts& f, Decision& d) {
         AskFailsafe ask;
         for (const auto& [name, url] : f.view.failsafe)
             if (name != f.self()) ask.members.push_back(name);
         act(d, std::move(ask));
         d.memory.failsafe_asked = f.now;
         wake_at(d, f.now + kAskAgain);
     }},

    {"write-initialize", "The leader records the system id when the store has lost it.", "Patroni 4.1 C4",
     false,
     [](const Facts& f) {
         return f.lock_held && f.seen.store_ok && !f.view.initialize && f.data_valid && f.system_id;
     },
     [](const Facts& f, Decision& d) { act(d, WriteInitialize{*f.system_id}); }},

    {"write-config", "The leader writes the configuration when the store has none.", "Patroni 4.1 C4", false,
     [](const Facts& f) { return f.lock_held && f.seen.store_ok && !f.view.config_revision; },
     [](const Facts&, Decision& d) { act(d, WriteConfig{}); }},

    {"record-timeline",
     "The leader records a timeline that was not claimed: of a promotion before there was such a record, or "
     "by hand.",
     "DESIGN 3.7 (10)", false,
     [](const Facts& f) {
         return leads(f) && f.position.timeline.value > 1 && f.position.timeline > f.view.claim.timeline;
     },
     [](const Facts& f, Decision& d) { act(d, ClaimTimeline{f.position.timeline}); }},

    {"synchronous-step", "The leader takes the synchronous set one safe step further.", "Patroni 4.11", false,
     [](const Facts& f) {
         // What members have confirmed, they have confirmed under the record as it is.
         bool on_our_own = failsafe_until(f.seen) <= f.seen.lock_valid_until;
         return leads(f) && on_our_own && f.synchronous_step && !f.stopping &&
                !std::holds_alternative<syncrep::Done>(*f.synchronous_step) &&
                !std::holds_alternative<syncrep::Wait>(*f.synchronous_step);
     },
     [](const Facts& f, Decision& d) { perform_step(d, *f.synchronous_step); }},

    {"checkpoint-after-promotion",
     "After a promotion: a checkpoint, for which others wait before they rewind.", "Patroni 4.9", false,
     [](const Facts& f) { return leads(f) && f.memory.checkpoint_due && !f.busy && !f.backed_off; },
     [](const Facts&, Decision& d) { act(d, Checkpoint{}); }},
};

}  // namespace

constinit const std::span<const Rule> kLeaderRules = kLeader;
constinit const std::span<const Rule> kPromotionRules = kPromotion;
std::span<const Rule> duties() {
    return kDuties;
}

}  // namespace pgherd::ha
