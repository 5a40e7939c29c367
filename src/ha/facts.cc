#include "ha/facts.h"

#include <algorithm>

namespace pgherd::ha {

using namespace std::chrono_literals;

namespace {

const ClusterView kNothing;

bool operation_makes_a_primary(const RunningOperation& running) {
    switch (running.operation) {
        case Operation::promote: return true;
        case Operation::start:
        case Operation::restart: return running.as_primary;
        default: return false;
    }
}

void derive_lock(Facts& f) {
    const Observation& seen = f.seen;
    f.store_read = seen.cluster != nullptr;
    f.unlocked = f.store_read && f.view.unlocked();
    f.lock_recorded = f.view.led_by(f.self());
    f.another_leads = f.store_read && !f.unlocked && !f.lock_recorded;
    if (!f.unlocked && f.store_read) f.leader = f.view.leader->name;
    f.lock_held = f.lock_recorded && !seen.lock_lost && f.now < seen.lock_valid_until;
    f.failsafe_holds = seen.config.failsafe_mode && !f.another_leads && f.now < failsafe_until(seen);
    f.entitled = f.lock_held || f.failsafe_holds;
    if (f.lock_held) f.entitled_until = seen.lock_valid_until;
    if (f.failsafe_holds) f.entitled_until = std::max(f.entitled_until, failsafe_until(seen));
    f.stop_at = f.entitled_until - std::min<Duration>(2s, seen.config.ttl / 4);
    f.failsafe_leader_lives =
        seen.failsafe_leader && *seen.failsafe_leader != f.self() && f.now < seen.failsafe_leader_until;
    f.failsafe_unsure = seen.config.failsafe_mode && f.now < seen.failsafe_unsure_until;
}

void derive_settings(Facts& f) {
    f.paused = f.seen.config.pause;
    f.standby_cluster = f.seen.config.standby_cluster.has_value();
    // The record, not the setting: what it promises holds until a leader has taken it back.
    f.synchronous = !f.standby_cluster && !f.view.sync.empty();
}

void derive_postgres(Facts& f) {
    const PostgresState& pg = f.seen.pg;
    const auto& running = f.seen.running;
    f.busy = running.has_value();
    f.stopping = pg.postmaster == Postmaster::stopping || (running && running->operation == Operation::stop);
    f.starting = pg.postmaster == Postmaster::starting;
    f.down = pg.postmaster == Postmaster::stopped;
    // A server that does not answer is what it was.
    f.primary = pg.primary() || (pg.running() && !pg.in_recovery && f.memory.was_primary);
    f.standby = pg.standby();
    bool bootstraps = running && running->operation == Operation::bootstrap;
    f.makes_a_primary = running && operation_makes_a_primary(*running);
    bool starts_standby = running && running->operation == Operation::start && !running->as_primary;
    bool starts_primary = f.starting && !pg.standby_configured && !starts_standby;
    // An agent that was just started does not know what it was, but what it was started as.
    bool started_as_primary =
        pg.running() && !pg.in_recovery && pg.data == DataDirectory::valid && !pg.standby_configured;
    f.may_write = !bootstraps && (f.primary || f.makes_a_primary || starts_primary || started_as_primary);
    // What runs has a data directory, even if it cannot be looked at now.
    f.data_valid = pg.data == DataDirectory::valid || (pg.data == DataDirectory::unreadable && !f.down);
    f.position = {pg.timeline, pg.position};
    f.clean = pg.control && pg.control->state == ControlState::shut_down;
    if (pg.control)
        f.former_primary = pg.control->state != ControlState::shut_down_in_recovery &&
                           pg.control->state != ControlState::in_archive_recovery;
    if (pg.system_id && pg.system_id->value() != 0)
        f.system_id = pg.system_id;
    else if (pg.control && pg.control->system_id.value() != 0)
        f.system_id = pg.control->system_id;
    f.wrong_system = f.data_valid && f.system_id && f.view.initialize && *f.view.initialize != *f.system_id;
    f.registered = f.system_id && f.view.initialize && *f.view.initialize == *f.system_id;
}

void derive_recovery(Facts& f) {
    const auto& finished = f.seen.finished;
    f.backed_off = f.memory.retry_after && f.now < *f.memory.retry_after;
    f.start_failed = f.down && f.memory.failed_starts > 0 && finished && !finished->ok;
    if (f.memory.recovering_since) {
        f.start_deadline = *f.memory.recovering_since + f.seen.config.primary_start_timeout;
        f.start_expired = f.now >= *f.start_deadline;
    }
}

}  // namespace

void derive_synchronous(Facts& f) {
    if (!f.lock_held || f.standby_cluster) return;
    auto configured = f.seen.config.parameters.find("synchronous_standby_names");
    syncrep::Input input{
        .self = f.self(),
        .config = &f.seen.config,
        .record = &f.view.sync,
        .record_uncertain = f.seen.sync_uncertain,
        .members = &f.view.members,
        .pg = &f.seen.pg,
        .noted_lsn = f.seen.sync_noted_lsn,
        .user_names = configured == f.seen.config.parameters.end() ? "" : configured->second};
    if (f.standby) f.before_promotion = syncrep::before_promotion(input);
    if (f.seen.pg.primary()) f.synchronous_step = syncrep::next_step(input);
}

// Whoever leads changes these records first.
void derive_picture(Facts& f) {
    const Revision picture = f.seen.lock_picture;
    const SyncRecord& sync = f.view.sync;
    bool set_changed = sync.modified > picture && sync.leader != f.self();
    bool claimed = f.view.claim.modified > picture && f.view.claim.member != f.self();
    const FailoverRequest* wanted = f.request.wanted;
    bool forced = wanted && wanted->candidate == f.self() && wanted->leader.empty();
    f.won_on_old_picture = f.lock_recorded && ((picture != Revision() && (set_changed || claimed)) ||
                                               (!f.race.synchronous_set_allows && !forced));
}

// A promotion that failed half-way may have used its number.
void derive_timeline(Facts& f) {
    const TimelineClaim& claim = f.view.claim;
    f.timeline_claimed = f.lock_recorded && claim.member == f.self() &&
                         claim.modified > f.view.leader->modified && claim.modified != f.memory.claim_used &&
                         claim.timeline > std::max(f.position.timeline, f.seen.pg.newest_timeline);
    Timeline newest = std::max({claim.timeline, f.position.timeline, f.seen.pg.newest_timeline});
    // A member of Patroni claims nothing; what it has published is known to be used.
    if (!f.view.history.empty())
        newest = std::max(newest, Timeline{f.view.history.back().timeline.value + 1});
    for (const auto& [name, member] : f.view.members)
        if (member.timeline) newest = std::max(newest, *member.timeline);
    for (const auto& [name, answer] : f.seen.peers.answers)
        newest = std::max(newest, answer.position.timeline);
    f.unused_timeline = Timeline{newest.value + 1};
}

std::string_view to_string(Operation operation) {
    switch (operation) {
        case Operation::bootstrap: return "bootstrap";
        case Operation::clone: return "clone";
        case Operation::start: return "start";
        case Operation::stop: return "stop";
        case Operation::promote: return "promote";
        case Operation::follow: return "follow";
        case Operation::rewind: return "rewind";
        case Operation::quarantine: return "quarantine";
        case Operation::restart: return "restart";
        case Operation::reload: return "reload";
        case Operation::checkpoint: return "checkpoint";
    }
    return "operation";
}

Facts derive(const Observation& seen, const Memory& memory, std::string_view without) {
    Facts f{.seen = seen,
            .view = seen.cluster ? *seen.cluster : kNothing,
            .memory = memory,
            .without = without,
            .now = seen.now};
    derive_settings(f);
    derive_lock(f);
    derive_postgres(f);
    derive_memory(f);
    derive_recovery(f);
    derive_race(f);
    derive_request(f);
    derive_rejoin(f);
    derive_synchronous(f);
    derive_picture(f);
    derive_timeline(f);
    return f;
}

}  // namespace pgherd::ha
