// What the core has to remember from one decision to the next, brought up to date with what was just seen. No
// rule is needed for that; rules change the memory only where they begin something.
#include <algorithm>
#include <utility>

#include "ha/facts.h"

namespace pgherd::ha {

using namespace std::chrono_literals;

namespace {

Duration back_off(int failures, Duration first, Duration most) {
    return std::min<Duration>(first * (1 << std::min(failures - 1, 10)), most);
}

void count_start(const FinishedOperation& finished, Memory& m) {
    m.failed_starts = finished.ok ? 0 : m.failed_starts + 1;
    m.retry_after.reset();
    if (!finished.ok) m.retry_after = finished.at + back_off(m.failed_starts, 1s, 30s);
}

void count_clone(const FinishedOperation& finished, Memory& m) {
    m.failed_clones = finished.ok ? 0 : m.failed_clones + 1;
    m.retry_after.reset();
    if (!finished.ok) m.retry_after = finished.at + back_off(m.failed_clones, 5s, 60s);
}

void count_bootstrap(const FinishedOperation& finished, Memory& m) {
    m.failed_bootstraps = finished.ok ? 0 : m.failed_bootstraps + 1;
    m.retry_after.reset();
    if (finished.ok) return;
    m.bootstrapping = false;
    m.retry_after = finished.at + back_off(m.failed_bootstraps, 1s, 30s);
}

void count_promotion(const FinishedOperation& finished, Memory& m) {
    m.pre_promote_failed.reset();
    if (finished.ok)
        m.checkpoint_due = true;
    else
        m.pre_promote_failed = finished.at;
}

void count_other(const FinishedOperation& finished, Memory& m) {
    m.retry_after.reset();
    if (!finished.ok) m.retry_after = finished.at + 1s;
}

constexpr int kRewindAttempts = 10;  // in about a minute

void note_rewind(const FinishedOperation& finished, Memory& m) {
    m.retry_after.reset();
    if (!finished.ok && finished.may_retry && ++m.failed_rewinds < kRewindAttempts) {
        m.retry_after = finished.at + back_off(m.failed_rewinds, 1s, 10s);
        return;
    }
    // A half-done rewind is half-done whoever leads; a finished one is about the leader that it was for.
    if (!finished.ok)
        m.rewind = Memory::Rewind::failed;
    else if (m.rewind == Memory::Rewind::needed)
        m.rewind = Memory::Rewind::done;
    m.failed_rewinds = 0;
}

// Each finished operation counts once, however often it is seen.
void note_finished(Facts& f) {
    const auto& finished = f.seen.finished;
    Memory& m = f.memory;
    if (!finished || m.finished_seen == finished->at) return;
    m.finished_seen = finished->at;
    switch (finished->operation) {
        case Operation::start:
        case Operation::restart: return count_start(*finished, m);
        case Operation::clone: return count_clone(*finished, m);
        case Operation::promote: return count_promotion(*finished, m);
        case Operation::rewind: return note_rewind(*finished, m);
        case Operation::quarantine:
            if (finished->ok) m.rewind = Memory::Rewind::unknown;
            return count_other(*finished, m);
        case Operation::checkpoint:
            if (finished->ok) m.checkpoint_due = false;
            return count_other(*finished, m);
        case Operation::follow: return count_other(*finished, m);
        case Operation::bootstrap: return count_bootstrap(*finished, m);
        case Operation::stop:
        case Operation::reload: return;
    }
}

void note_role(Facts& f) {
    Memory& m = f.memory;
    const auto& control = f.seen.pg.control;
    // An agent that finds a primary whose latest checkpoint is older than its timeline has missed the
    // promotion.
    bool found = f.primary && !m.was_primary;
    if (found && control && control->timeline.known() && control->timeline < f.position.timeline)
        m.checkpoint_due = true;
    if (f.primary) m.was_primary = true;
    if (f.seen.running && f.seen.running->operation == Operation::promote)
        m.claim_used = f.view.claim.modified;
    bool no_data = f.down && !f.data_valid && f.seen.pg.data != DataDirectory::unreadable;
    if (f.standby || no_data) m.was_primary = false;
    if (f.another_leads) m.checkpoint_due = false;
    // From then on it is a cluster like any other, whatever becomes of its first primary.
    // What this member made before its agent was restarted. As a standby it must be adopted anew.
    if (f.seen.pg.unregistered) m.bootstrapping = !f.standby;
    if (f.lock_recorded || (f.down && f.registered) || (f.another_leads && !f.wrong_system))
        m.bootstrapping = false;
    if (f.primary) m.failed_starts = 0;
    if (f.paused)
        m.led = f.may_write && f.lock_held;
    else
        m.led = f.may_write ? m.led || f.entitled : m.led && f.lock_held;
    bool serves = f.seen.pg.in_recovery.has_value() && !f.seen.wal_stands_still;
    if ((f.primary && serves) || f.another_leads) m.unfit = false;
    bool mute = f.seen.pg.running() && !serves;
    if (!m.led || !mute)
        m.mute_since.reset();
    else if (!m.mute_since)
        m.mute_since = f.now;
    f.unanswered =
        m.mute_since && f.now >= *m.mute_since + std::max<Duration>(kUnanswered, f.seen.config.ttl);
    bool recovers = m.led && !f.primary && !f.standby && !mute && !m.handing_over_to;
    if (!recovers)
        m.recovering_since.reset();
    else if (!m.recovering_since)
        m.recovering_since = f.now;
}

void note_lock(Facts& f) {
    Memory& m = f.memory;
    if (f.view.initialize) m.seen_initialized = true;
    if (!f.unlocked)
        m.unlocked_since.reset();
    else if (!m.unlocked_since)
        m.unlocked_since = f.now;
    // A new leadership: is this data directory still on the leader's history? What runs is not half-rewound:
    // a failed rewind has not touched it, and may do for another leader.
    if (f.another_leads && m.rewind_for != f.view.leader->modified) {
        m.rewind_for = f.view.leader->modified;
        if (std::exchange(m.failed_rewinds, 0) > 0) m.retry_after.reset();
        if (m.rewind != Memory::Rewind::failed || f.standby) m.rewind = Memory::Rewind::check;
    }
    if (f.paused) m.resumed = false;
    if (!f.paused && !m.resumed) {
        m.resumed = true;
        if (m.rewind != Memory::Rewind::failed)
            m.rewind = f.another_leads ? Memory::Rewind::check : Memory::Rewind::unknown;
        m.retry_after.reset();
    }
}

void note_handover(Facts& f) {
    Memory& m = f.memory;
    // The lock is back here: the planned switchover came to nothing.
    bool leads_again = f.lock_held && f.primary && !f.busy;
    if (f.another_leads || leads_again) {
        m.handing_over_to.reset();
        m.handover_released.reset();
        m.handover_timed_out = false;
    }
    if (m.handing_over_to && f.unlocked && !m.handover_released) m.handover_released = f.now;
    Duration chance = std::min<Duration>(kHandover, f.seen.config.ttl);
    if (m.handover_released && f.now >= *m.handover_released + chance) m.handover_timed_out = true;
}

void note_request(Facts& f) {
    Memory& m = f.memory;
    Revision revision = f.view.failover ? f.view.failover->modified : Revision();
    if (m.request_for == revision) return;
    m.request_for = revision;
    m.request_since.reset();
    if (f.view.failover) m.request_since = f.now;
}

}  // namespace

void derive_memory(Facts& f) {
    note_lock(f);
    note_finished(f);
    note_handover(f);
    note_role(f);
    note_request(f);
}

}  // namespace pgherd::ha
