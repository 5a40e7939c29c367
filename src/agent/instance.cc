#include "agent/instance.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"

namespace pgherd::agent {

using namespace std::chrono_literals;

Instance::Instance(Postgres& postgres, Clock& clock, Log& log, std::function<void()> changed)
    : postgres_(postgres), clock_(clock), log_(log), changed_(std::move(changed)) {
    postgres_.on_event(scope_.guard([this](PostgresEvent event) { on_event(event); }));
}

namespace {

// What could not be looked at is as it was.
void keep_what_was_known(PostgresState& now, const PostgresState& before) {
    if (now.data != DataDirectory::unreadable) return;
    now.unregistered = before.unregistered;
    now.standby_configured = before.standby_configured;
    now.newest_timeline = std::max(now.newest_timeline, before.newest_timeline);
    if (now.timeline == before.timeline && now.timeline_history.empty())
        now.timeline_history = before.timeline_history;
}

}  // namespace

void Instance::observe() {
    if (observing_) {
        observe_again_ = true;
        return;
    }
    observing_ = true;
    observe_again_ = false;
    postgres_.observe(clock_.now() + 2s,
                      scope_.guard([this](Result<PostgresState> result) { observation(std::move(result)); }));
}

void Instance::observation(Result<PostgresState> result) {
    observing_ = false;
    if (result) {
        bool crashed = state_.crashed && result->postmaster == Postmaster::stopped;
        if (observed_) keep_what_was_known(*result, state_);
        wal_stands_still_ = result->primary() && result->flush_awaited && state_.flush_awaited &&
                            result->position == state_.position;
        state_ = std::move(*result);
        // What an earlier brain has set stays in force until it is decided anew.
        if (!sync_names_ && state_.in_recovery) sync_names_ = state_.synchronous_standby_names;
        state_.crashed = state_.crashed || crashed;
        observed_ = true;
    } else {
        log_.warning("postgres-not-observed",
                     with_context(result.error(), "cannot observe PostgreSQL").message);
    }
    if (observe_again_) return observe();
    if (ended_) {
        finished_ = std::exchange(ended_, std::nullopt);
        running_.reset();
        progress_.clear();
    }
    if (state_.synchronous_standby_names != sync_names_.value_or("") && !setting_sync_names_)
        sync_noted_.reset();
    changed_();
}

void Instance::on_event(PostgresEvent event) {
    switch (event) {
        case PostgresEvent::postmaster_died:
            log_.warning("postgres-died", "PostgreSQL has ended without being told to");
            state_.postmaster = Postmaster::stopped;
            state_.crashed = true;
            break;
        case PostgresEvent::guard_fenced:
            log_.error("guard-fenced", "the guard has ended the primary: its lease had run out");
            state_.postmaster = Postmaster::stopped;
            state_.crashed = true;
            break;
        case PostgresEvent::receiver_changed: break;
    }
    observe();
}

void Instance::run(ha::Operation operation, std::string_view rule, Start start, bool as_primary,
                   Done<void> done) {
    PGHERD_ASSERT(!running_, "two operations of PostgreSQL at once");
    running_ = ha::RunningOperation{operation, clock_.now(), rule, as_primary};
    progress_.clear();
    log_.write({LogLevel::info,
                "operation-begins",
                std::string(ha::to_string(operation)),
                {{"rule", std::string(rule)}}});
    start(postgres_, scope_.guard([this, operation, rule, done = std::move(done)](Status result) mutable {
        ended_ =
            ha::FinishedOperation{operation,          rule,
                                  result.has_value(), result ? "" : result.error().message,
                                  clock_.now(),       !result && result.error().code != ErrorCode::invalid};
        Duration took = clock_.now() - running_->since;
        if (result) {
            took_[std::string(ha::to_string(operation))] = took;
            log_.info("operation-done", fmt::format("{} took {}", ha::to_string(operation), to_text(took)));
        } else if (operation != ha::Operation::reload) {  // which is repeated: upkeep.cc tells
            log_.error("operation-failed", fmt::format("{} failed after {}: {}", ha::to_string(operation),
                                                       to_text(took), result.error().message));
        }
        if (operation == ha::Operation::start && result) state_.crashed = false;
        if (done) done(std::move(result));
        observe();
    }));
}

void Instance::fence(std::string_view rule) {
    log_.warning("fence", fmt::format("PostgreSQL is ended at once: {}", rule));
    postgres_.arm(clock_.now(), scope_.guard([this](Status) { observe(); }));
}

void Instance::set_sync_names(std::string names) {
    if (setting_sync_names_ || clock_.now() < sync_names_not_before_) return;
    setting_sync_names_ = true;
    // The position of an earlier setting says nothing of this one, even if it is seen in force before the
    // answer comes.
    sync_noted_.reset();
    postgres_.set_synchronous_standby_names(names, scope_.guard([this, names](Result<Lsn> noted) {
        setting_sync_names_ = false;
        if (noted) {
            log_.info("synchronous-standbys",
                      names.empty() ? "replication is asynchronous now" : "synchronous standbys: " + names);
            sync_names_ = names;
            sync_noted_ = *noted;
            state_.synchronous_standby_names = names;
        } else {
            sync_names_not_before_ = clock_.now() + 1s;
            log_.warning("synchronous-standbys",
                         with_context(noted.error(), "cannot set synchronous_standby_names").message);
        }
        changed_();
    }));
}

Postgres::Progress Instance::progress_sink() {
    return scope_.guard([this](std::string text) { progress_ = std::move(text); });
}

}  // namespace pgherd::agent
