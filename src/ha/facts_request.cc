// What an operator's wish (`failover`) means for this member (reference: Patroni 4.8).
#include <algorithm>

#include "ha/facts.h"

namespace pgherd::ha {

using namespace std::chrono_literals;

namespace {

void judge_schedule(Facts& f) {
    RequestFacts& request = f.request;
    const auto& at = request.wanted->scheduled_at;
    request.due = !at || *at <= f.seen.wall;
    if (at && f.paused) request.due = false;
    Duration grace = std::max<Duration>(3 * f.seen.config.loop_wait / 2, 5s);
    request.too_late = at && f.seen.wall - *at > grace && !f.memory.handing_over_to;
}

// Wishes that this leader cannot fulfil, now or later.
void judge_sense(Facts& f) {
    RequestFacts& request = f.request;
    const FailoverRequest& wanted = *request.wanted;
    const Member* candidate = f.view.member(wanted.candidate);
    auto clear = [&](std::string why) {
        if (!request.clear) request.clear_why = std::move(why);
        request.clear = true;
    };
    if (!wanted.leader.empty() && wanted.leader != f.self()) clear("it names another leader");
    if (wanted.candidate == f.self()) clear("this member leads already");
    if (f.paused && wanted.candidate.empty()) clear("a paused cluster needs a candidate");
    if (request.too_late) clear("its time has passed");
    if (wanted.candidate.empty() || !request.due) return;
    if (!candidate)
        clear("the candidate is no member");
    else if (!candidate->tags.may_lead())
        clear("the candidate must not lead");
    bool needs_synchronous = f.synchronous && !wanted.leader.empty();
    if (needs_synchronous && !f.view.sync.contains(wanted.candidate))
        clear("the candidate is not synchronous");
}

void judge_candidates(Facts& f) {
    RequestFacts& request = f.request;
    const FailoverRequest& wanted = *request.wanted;
    const PeerRound& round = f.seen.peers;
    bool forced = wanted.leader.empty() && !wanted.candidate.empty();
    request.answered = round.complete && f.memory.request_since && round.asked >= *f.memory.request_since &&
                       f.now - round.asked <= kRoundIsFresh;
    for (const auto& [name, answer] : round.answers) {
        if (!wanted.candidate.empty() && name != wanted.candidate) continue;
        bool lives = answer.reachable && answer.in_recovery && !answer.nofailover &&
                     !answer.watchdog_failed && f.view.member(name);
        if (can_take_over(f, name, answer) || (forced && lives && answer.position.lsn.valid()))
            request.possible = true;
        if (lives && !wanted.candidate.empty()) request.candidate_lives = name;
    }
}

// The cluster is unlocked: whose turn is it?
void judge_turn(Facts& f) {
    RequestFacts& request = f.request;
    const FailoverRequest& wanted = *request.wanted;
    bool switchover = !wanted.leader.empty();
    request.wants_me = request.due && wanted.candidate == f.self();
    request.ignores_lag = request.wants_me || (request.due && switchover && wanted.leader != f.self());
    // An operator's failover may go to a member that is not synchronous; a switchover may not.
    if (request.wants_me && !switchover) {
        f.race.synchronous_set_allows = true;
        f.race.votes_suffice = true;
    }
    // What keeps a candidate that lives from leading (it may lack commits, say) must not keep everybody else.
    Duration chance = std::min<Duration>(kHandover, f.seen.config.ttl);
    auto since = std::max(f.memory.unlocked_since, f.memory.request_since);
    bool chance_is_over = since && f.now >= *since + chance;
    if (!request.due || !f.race.answered || wanted.candidate == f.self() || chance_is_over)
        request.candidate_lives.reset();
}

}  // namespace

void derive_request(Facts& f) {
    if (!f.view.failover || f.view.failover->empty()) return;
    f.request.wanted = &*f.view.failover;
    judge_schedule(f);
    judge_sense(f);
    judge_candidates(f);
    if (f.unlocked) judge_turn(f);
}

}  // namespace pgherd::ha
