// Whom to follow, and whether this data directory can (reference: Patroni 4.9).
//
// Timelines fork: the leader's history tells where each ancestor timeline was left. What this member has
// beyond that point on the same timeline is not in the leader's history.
#include <algorithm>

#include "ha/facts.h"

namespace pgherd::ha {

namespace {

bool leads_as_primary(const Facts& f, const Member& member) {
    return f.standby_cluster ? member.running() : member.running() && member.role == Role::primary;
}

void judge_answer(Facts& f) {
    const auto& answer = f.seen.upstream;
    bool about_this = f.another_leads && answer && answer->member == f.leader &&
                      answer->leader_revision == f.view.leader->modified;
    f.rejoin.upstream_known = about_this && answer->ok && (!answer->in_recovery || f.standby_cluster);
    f.rejoin.ask_due = f.another_leads && !f.rejoin.upstream_known &&
                       (!about_this || f.now - answer->at >= kAskUpstreamAgain);
    const Member* leader = f.view.leader_member();
    f.rejoin.leader_checkpointed =
        leader && leads_as_primary(f, *leader) && leader->checkpoint_after_promote.value_or(true);
}

// The end of this member's own history, as far as it is certain.
struct End {
    Timeline timeline;
    Lsn lsn;
    bool certain = true;  // nothing was written beyond
    bool record = false;  // `lsn` is where the last record begins, not where it ends
};

End end_of_history(const Facts& f) {
    const PostgresState& pg = f.seen.pg;
    if (pg.running()) {
        Timeline timeline = pg.timeline;
        if (pg.streaming()) timeline = std::max(timeline, pg.receiver->timeline);
        return {timeline, pg.position};
    }
    if (!pg.control) return {};
    const ControlData& control = *pg.control;
    if (f.former_primary) return {control.timeline, control.checkpoint, f.clean, true};
    // A stopped standby may hold received WAL beyond this; it is compared again when it runs.
    return {std::max(control.timeline, control.min_recovery_timeline),
            std::max(control.min_recovery_end, control.checkpoint)};
}

// A base backup that has never started reads like a crashed primary, but for standby.signal.
History unclean(const Facts& f) {
    return f.seen.pg.standby_configured ? History::shared : History::diverged;
}

History compare(const Facts& f) {
    const UpstreamAnswer& leader = *f.seen.upstream;
    if (f.system_id && leader.system_id.value() != 0 && leader.system_id != *f.system_id)
        return History::foreign;
    End mine = end_of_history(f);
    if (!mine.timeline.known()) return History::unknown;
    // A former primary cannot share its timeline with another one; pg_rewind finds out whether it does.
    if (mine.timeline == leader.timeline && mine.record)
        return mine.certain ? (leader.position > mine.lsn ? History::shared : History::diverged) : unclean(f);
    if (mine.timeline == leader.timeline) return History::shared;
    if (mine.timeline > leader.timeline || !mine.certain) return History::diverged;
    auto left = std::ranges::find(leader.switchpoints, mine.timeline, &std::pair<Timeline, Lsn>::first);
    if (left == leader.switchpoints.end()) return History::diverged;
    bool beyond = mine.record ? mine.lsn >= left->second : mine.lsn > left->second;
    return beyond ? History::diverged : History::shared;
}

void choose_upstream(Facts& f) {
    if (!f.another_leads) return;
    const Member* me = f.view.member(f.self());
    f.rejoin.upstream = f.leader;
    if (me && me->tags.nostream) {
        f.rejoin.upstream = MemberName();
    } else if (me && !me->tags.replicatefrom.empty()) {
        const Member* wanted = f.view.member(me->tags.replicatefrom);
        if (wanted && wanted->running() && wanted->name != f.self()) f.rejoin.upstream = wanted->name;
    }
}

void choose_source(Facts& f) {
    const Member* leader = f.view.leader_member();
    if (!f.another_leads || !leader) return;
    f.rejoin.source_ready = leads_as_primary(f, *leader);
    f.rejoin.clone_source = f.leader;
    // Every other attempt goes to the leader, so that a broken source is no obstacle. Who counts as
    // synchronous must have all that the leader has acknowledged, and another standby may lack it.
    if (f.memory.failed_clones % 2 == 1 || f.view.sync.contains(f.self())) return;
    for (const auto& [name, member] : f.view.members)
        if (member.tags.clonefrom && member.running() && name != f.self() && name != f.leader) {
            f.rejoin.clone_source = name;
            f.rejoin.source_ready = true;
            return;
        }
}

}  // namespace

void derive_rejoin(Facts& f) {
    judge_answer(f);
    choose_upstream(f);
    choose_source(f);
    RejoinFacts& rejoin = f.rejoin;
    // The leader of a standby cluster follows a host that is no member.
    bool remote = f.standby_cluster && !f.another_leads;
    rejoin.follows = remote ? !f.seen.following : f.seen.following == rejoin.upstream;
    if (rejoin.upstream_known) rejoin.history = compare(f);
    // PostgreSQL itself has compared the histories of the two ends of a stream.
    bool streams_from_leader =
        f.standby && f.seen.pg.streaming() && rejoin.follows && rejoin.upstream == f.leader;
    if (rejoin.history == History::diverged && streams_from_leader) rejoin.history = History::shared;
    Memory& m = f.memory;
    if (m.rewind != Memory::Rewind::check && m.rewind != Memory::Rewind::unknown) return;
    if (rejoin.history == History::shared) m.rewind = Memory::Rewind::not_needed;
    if (rejoin.history == History::diverged) m.rewind = Memory::Rewind::needed;
}

}  // namespace pgherd::ha
