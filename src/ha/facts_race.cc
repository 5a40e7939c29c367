// Who may take the lock: the comparison with the other members (reference: Patroni 4.6, is_healthiest_node).
#include <algorithm>

#include "ha/facts.h"

namespace pgherd::ha {

namespace {

bool in_synchronous_set(const Facts& f, const MemberName& name) {
    return f.view.sync.leader == name || f.view.sync.contains(name);
}

// More bytes on an older timeline are not more history. A peer that does not say its timeline is compared by
// position.
bool is_ahead(const WalPosition& peer, const WalPosition& mine) {
    if (!peer.lsn.valid()) return false;
    return peer.timeline.known() && mine.timeline.known() ? peer > mine : peer.lsn > mine.lsn;
}

bool ignored(const PeerAnswer& answer) {
    return !answer.reachable || answer.nofailover || answer.watchdog_failed;
}

void choose_others(Facts& f) {
    for (const auto& [name, member] : f.view.members) {
        if (name == f.self()) continue;
        bool matters = member.tags.may_lead() || member.role == Role::primary ||
                       (f.synchronous && in_synchronous_set(f, name));
        if (matters) f.race.others.push_back(name);
    }
    for (const auto& [name, url] : f.view.failsafe)
        if (f.seen.config.failsafe_mode && name != f.self() && !f.view.member(name))
            f.race.others.push_back(name);
}

void judge_round(Facts& f) {
    const PeerRound& round = f.seen.peers;
    RaceFacts& race = f.race;
    bool asked = round.asked != Instant{};
    race.in_progress = asked && !round.complete;
    bool recent = asked && round.complete && f.now - round.asked <= kRoundIsFresh;
    race.recent = recent && f.memory.unlocked_since && round.asked >= *f.memory.unlocked_since;
    race.asked_lately = recent && (race.recent || f.lock_recorded);
    race.answered = race.others.empty() || race.recent;
    race.ask_again = !race.in_progress && !race.others.empty() && f.now - round.asked >= kAskAgain;
    f.failover_known = race.others.empty() || recent;
    for (const auto& [name, answer] : round.answers)
        if (recent && can_take_over(f, name, answer)) f.failover_possible = true;
}

// The record is this member's, and no standby can have acknowledged anything under it: it was taken over for
// a promotion that has not happened, say. Nobody else has enough votes to lead then, and what others have
// more (the former leader, started again as a standby, hands on what nobody acknowledged) was promised to
// nobody.
bool leads_alone(const Facts& f) {
    const SyncRecord& sync = f.view.sync;
    return f.synchronous && sync.leader == f.self() && !sync.standbys.empty() &&
           sync.quorum >= static_cast<int>(sync.standbys.size());
}

void compare_with(Facts& f, const MemberName& name, const PeerAnswer& answer) {
    RaceFacts& race = f.race;
    if (answer.reachable && !answer.in_recovery) {
        if (!race.primary) race.primary = name;
        if (answer.position.timeline > f.position.timeline) race.primary_is_newer = true;
    }
    if (ignored(answer) || !answer.in_recovery) return;
    // A synchronous commit is on every member of the set: what others have more was not acknowledged.
    if (f.synchronous && (!in_synchronous_set(f, name) || f.view.sync.leader == name)) return;
    // Our own position as a primary is older than the standby's answer, which may show more of the same
    // timeline.
    bool ahead =
        f.primary ? answer.position.timeline > f.position.timeline : is_ahead(answer.position, f.position);
    if (ahead && !race.ahead && !leads_alone(f)) race.ahead = name;
    bool equal = answer.position.lsn == f.position.lsn && !f.primary;
    bool former_leader = f.view.sync.leader == f.self() && f.synchronous;
    if (equal && !former_leader && answer.priority > f.seen.self.priority && !race.preferred)
        race.preferred = name;
}

// A leader's record in the store has ended with its lease: who has one and is no primary in it, or says so
// when asked, does not lead.
bool may_lead_unseen(const Facts& f, const MemberName& name) {
    if (name.empty() || name == f.self()) return false;
    const Member* member = f.view.member(name);
    auto answer = f.seen.peers.answers.find(name);
    bool says_no = f.race.asked_lately && answer != f.seen.peers.answers.end() && answer->second.reachable &&
                   answer->second.in_recovery;
    return !says_no && (!member || member->role == Role::primary);
}

// Who is in the list knows of a leader that goes on without the store, unless its agent was started since.
void judge_failsafe(Facts& f) {
    const auto& list = f.view.failsafe;
    bool knows = list.contains(f.self()) && !f.failsafe_unsure;
    if (!f.seen.config.failsafe_mode || list.empty() || knows) return;
    for (const auto& [name, url] : list)
        if (may_lead_unseen(f, name)) f.race.failsafe_forbids = true;
}

// The voters that the leader of the record may not count on: a candidate needs more than `quorum` of them,
// whatever its position is (failsafe.h).
void count_free_voters(Facts& f) {
    const SyncRecord& sync = f.view.sync;
    const PeerRound& round = f.seen.peers;
    bool listed = f.view.failsafe.contains(sync.leader);
    if (!listed || !confirmations_needed(sync) || !may_lead_unseen(f, sync.leader)) return;
    bool answers_hold = round.asked != Instant{} && f.now - round.asked <= kVoteHolds;
    int free = 0;
    bool bound = f.failsafe_leader_lives;
    for (const MemberName& name : sync.standbys) {
        if (name == f.self()) free += !f.failsafe_leader_lives && !f.failsafe_unsure;
        auto found = round.answers.find(name);
        if (!answers_hold || found == round.answers.end() || name == f.self()) continue;
        const PeerAnswer& answer = found->second;
        free += answer.reachable && !answer.failsafe_bound && !answer.failsafe_unsure;
        bound = bound || answer.failsafe_bound;
    }
    f.race.voters_may_keep_leader = (f.seen.config.failsafe_mode || bound) && free <= sync.quorum;
}

bool by_quorum(const Facts& f) {
    return f.view.sync.quorum > 0 || f.seen.config.synchronous_mode == SynchronousMode::quorum;
}

void count_votes(Facts& f) {
    if (!f.synchronous || !by_quorum(f)) return;
    const SyncRecord& sync = f.view.sync;
    int votes = sync.contains(f.self()) ? 0 : -1;
    for (const auto& [name, answer] : f.seen.peers.answers)
        if (f.race.recent && sync.contains(name) && answer.reachable && answer.in_recovery &&
            answer.position.lsn.valid() && !is_ahead(answer.position, f.position))
            ++votes;
    bool former_leader = sync.leader == f.self() && !f.race.ahead;
    f.race.votes_suffice = votes >= sync.quorum || former_leader;
}

void judge_self(Facts& f) {
    RaceFacts& race = f.race;
    const DynamicConfig& config = f.seen.config;
    bool named = f.synchronous && !by_quorum(f);
    race.synchronous_set_allows = !named || in_synchronous_set(f, f.self());
    if (const auto& last = f.view.status.optime; last && config.maximum_lag_on_failover >= 0)
        race.lags = !f.primary &&
                    bytes_between(f.position.lsn, *last) > std::uint64_t(config.maximum_lag_on_failover);
    if (!f.view.history.empty() && (config.check_timeline || f.primary))
        race.timeline_too_low = f.position.timeline.value <= f.view.history.back().timeline.value;
    bool asked_to_leave =
        f.view.failover && f.view.failover->leader == f.self() && !f.view.failover->scheduled_at;
    bool handing_over = f.memory.handing_over_to && !f.memory.handover_timed_out;
    Duration chance = std::min<Duration>(kHandover, config.ttl);
    bool chance_is_over = f.memory.unlocked_since && f.now >= *f.memory.unlocked_since + chance;
    race.stands_back = handing_over || (asked_to_leave && !f.primary && !chance_is_over);
}

}  // namespace

bool can_take_over(const Facts& f, const MemberName& name, const PeerAnswer& answer) {
    if (ignored(answer) || !answer.in_recovery || !answer.position.lsn.valid() || !f.view.member(name))
        return false;
    if (f.synchronous && !f.view.sync.contains(name)) return false;
    Timeline timeline = f.position.timeline;
    if (!timeline.known() && f.seen.pg.control) timeline = f.seen.pg.control->timeline;
    if (answer.position.timeline.known() && timeline.known() && answer.position.timeline != timeline)
        return false;
    Lsn mine = f.seen.pg.position.valid() ? f.seen.pg.position : f.view.status.optime.value_or(Lsn{});
    std::int64_t limit = f.seen.config.maximum_lag_on_failover;
    return limit < 0 || bytes_between(answer.position.lsn, mine) <= std::uint64_t(limit);
}

void derive_race(Facts& f) {
    choose_others(f);
    judge_round(f);
    judge_self(f);
    judge_failsafe(f);
    count_free_voters(f);
    for (const auto& [name, answer] : f.seen.peers.answers)
        if (f.race.recent && name != f.self()) compare_with(f, name, answer);
    count_votes(f);
}

}  // namespace pgherd::ha
