// The core's actions, handed to the ports: writes to the store and questions at once, operations on
// PostgreSQL one at a time. It decides nothing.
#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "agent/impl.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/records.h"
#include "ha/failsafe.h"

namespace pgherd::agent {

using namespace std::chrono_literals;

namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};

bool is_operation(const ha::Action& action) {
    return std::visit(
        Overloaded{[](const ha::Bootstrap&) { return true; }, [](const ha::Clone&) { return true; },
                   [](const ha::StartPrimary&) { return true; }, [](const ha::StartStandby&) { return true; },
                   [](const ha::Stop&) { return true; }, [](const ha::Promote&) { return true; },
                   [](const ha::Follow&) { return true; }, [](const ha::Rewind&) { return true; },
                   [](const ha::Quarantine&) { return true; }, [](const ha::Checkpoint&) { return true; },
                   [](const auto&) { return false; }},
        action);
}
}  // namespace

void Agent::Impl::perform(const ha::Action& action, const ha::Decision& decision) {
    std::string_view rule = decision.rule;
    if (const auto* stop_action = std::get_if<ha::Stop>(&action)) return stop(stop_action->kind, rule);
    if (is_operation(action)) {
        if (!instance_.running()) perform_operation(action, rule);
        return;
    }
    perform_on_store(action, decision.text);
}

void Agent::Impl::perform_on_store(const ha::Action& action, const std::string& why) {
    const auto& view = state_.seen.cluster;
    std::visit(
        Overloaded{
            [&](const ha::AcquireLock&) { lease_.acquire(); },
            [&](const ha::ReleaseLock&) {
                if (state_.seen.pg.control)
                    publisher_.publish_final_position(state_.seen.pg.control->checkpoint);
                lease_.release();
            },
            [&](const ha::TakeInitialize&) {
                // Without a lease it would stay for ever if we died now.
                if (lease_.id().value() != 0) write("initialize", IfAbsent{}, "", lease_.id());
            },
            [&](const ha::WriteInitialize& wanted) {
                write("initialize", as_seen("initialize"), std::to_string(wanted.id.value()));
            },
            [&](const ha::DropInitialize&) { write("initialize", as_seen("initialize"), std::nullopt); },
            [&](const ha::WriteConfig&) { write_config(); },
            [&](const ha::ClearRequest& seen) {
                state_.request_refusal = why;
                write("failover", IfRevision{seen.modified}, std::nullopt);
            },
            [&](const ha::WriteSync& wanted) {
                if (mirror_.writing("sync")) return;
                const Revision& modified = wanted.record.modified;
                Expectation expect =
                    modified.value() == 0 ? Expectation(IfAbsent{}) : Expectation(IfRevision{modified});
                sync_attempts_.push_back(wanted.record);
                write("sync", std::move(expect), write_sync(wanted.record), {},
                      [this, modified](const Error& error) {
                          if (error.maybe_done())
                              uncertain_sync_ = modified;
                          else if (!sync_attempts_.empty() && sync_attempts_.back().modified == modified)
                              sync_attempts_.pop_back();
                      });
            },
            [&](const ha::ClaimTimeline& wanted) {
                const Revision& modified = view->claim.modified;
                Expectation expect =
                    modified.value() == 0 ? Expectation(IfAbsent{}) : Expectation(IfRevision{modified});
                write("timeline", std::move(expect),
                      write_timeline({wanted.timeline, state_.config.name, {}}));
            },
            [&](const ha::AskPeers& ask) {
                bool as_candidate = view && !instance_.state().primary() &&
                                    (view->unlocked() || view->led_by(state_.config.name));
                if (view) questions_.ask_peers(*view, ask.members, question_limit(), as_candidate);
            },
            [&](const ha::AskFailsafe& ask) {
                if (!view) return;
                FailsafeMessage message{
                    .name = state_.config.name,
                    .conn_url = state_.published.conn_url,
                    .api_url = state_.published.api_url,
                    .slots = view->status.slots,
                    .ttl = state_.seen.config.ttl,
                    .leadership = view->leader ? view->leader->modified : Revision(),
                };
                questions_.ask_failsafe(*view, ask.members, message, question_limit());
            },
            [&](const ha::AskUpstream& ask) {
                Revision leadership = view && view->leader ? view->leader->modified : Revision();
                questions_.ask_upstream(ask.member, upstream(ask.member), leadership, 2 * question_limit());
            },
            [&](const ha::SetSynchronousStandbyNames& wanted) { instance_.set_sync_names(wanted.names); },
            [&](const ha::Exit& exit) { exit_why_ = exit.why; }, [](const auto&) {}},
        action);
}

void Agent::Impl::perform_operation(const ha::Action& action, std::string_view rule) {
    using ha::Operation;
    std::visit(
        Overloaded{
            [&](const ha::Bootstrap&) {
                // An old lease would end too soon: after its renewal.
                if (lease_.end() < ports_.clock.now() + state_.seen.config.ttl / 2) return;
                configure_postgres();
                instance_.run(
                    Operation::bootstrap, rule,
                    [this](Postgres& postgres, Done<void> done) {
                        // There is no lock yet: what is ours is `initialize`, as long as our lease.
                        postgres.arm(
                            lease_.end(),
                            scope_.guard([this, &postgres, done = std::move(done)](Status armed) mutable {
                                if (!armed) return done(std::move(armed));
                                postgres.bootstrap(instance_.progress_sink(), std::move(done));
                            }));
                    },
                    true);
            },
            [&](const ha::Clone& clone) {
                bool from_leader =
                    requests_.clone_from_leader() && state_.seen.cluster && !state_.seen.cluster->unlocked();
                Upstream source = upstream(from_leader ? state_.seen.cluster->leader->name : clone.source);
                instance_.run(Operation::clone, rule, [this, source](Postgres& postgres, Done<void> done) {
                    postgres.clone(source, instance_.progress_sink(), std::move(done));
                });
            },
            [&](const ha::StartPrimary&) { start_postgres({.standby = false, .upstream = {}}, rule); },
            [&](const ha::StartStandby& start) {
                start_postgres({.standby = true, .upstream = upstream(start.upstream)}, rule);
            },
            [&](const ha::Promote& wanted) { promote(wanted.timeline, rule); },
            [&](const ha::Follow& follow) {
                Upstream to = upstream(follow.upstream);
                instance_.run(Operation::follow, rule, [to](Postgres& postgres, Done<void> done) {
                    postgres.follow(to, std::move(done));
                });
            },
            [&](const ha::Rewind& rewind) {
                Upstream source = upstream(rewind.source);
                instance_.run(Operation::rewind, rule, [this, source](Postgres& postgres, Done<void> done) {
                    postgres.rewind(source, instance_.progress_sink(), std::move(done));
                });
            },
            [&](const ha::Quarantine&) {
                instance_.run(Operation::quarantine, rule, [](Postgres& postgres, Done<void> done) {
                    postgres.quarantine(std::move(done));
                });
            },
            [&](const ha::Checkpoint&) {
                instance_.run(Operation::checkpoint, rule, [](Postgres& postgres, Done<void> done) {
                    postgres.checkpoint(std::move(done));
                });
            },
            [](const auto&) {}},
        action);
}

void Agent::Impl::stop(ha::StopKind kind, std::string_view rule) {
    if (instance_.running()) {
        // Something else is under way. Only the loss of the right to be a primary is more urgent than that.
        if (kind == ha::StopKind::immediate) instance_.fence(rule);
        return;
    }
    StopMode mode = kind == ha::StopKind::immediate ? StopMode::immediate : StopMode::fast;
    Duration patience = state_.seen.config.primary_stop_timeout > Duration::zero()
                            ? state_.seen.config.primary_stop_timeout
                            : state_.config.postgres.pg_ctl_timeout;
    Instant deadline = state_.seen.now + patience;
    if (kind == ha::StopKind::offline)
        deadline =
            std::min(deadline, std::max(state_.seen.lock_valid_until, ha::failsafe_until(state_.seen)));
    bool checkpoint = kind == ha::StopKind::graceful;
    instance_.run(ha::Operation::stop, rule,
                  [mode, checkpoint, deadline](Postgres& postgres, Done<void> done) {
                      postgres.stop(mode, checkpoint, deadline, [] {}, std::move(done));
                  });
    ports_.postgres.callback("on_stop", state_.published.role);
}

void Agent::Impl::start_postgres(const StartSpec& spec, std::string_view rule) {
    configure_postgres();
    Duration timeout = state_.seen.config.primary_start_timeout;
    if (timeout <= Duration::zero()) timeout = state_.config.postgres.pg_ctl_timeout;
    auto start = [this, spec, timeout](Postgres& postgres, Done<void> done) {
        if (!spec.standby) return postgres.start(spec, timeout, std::move(done));
        // A standby needs no lease: a deadline of its former life must not end it.
        postgres.disarm(scope_.guard([&postgres, spec, timeout, done = std::move(done)](Status) mutable {
            postgres.start(spec, timeout, std::move(done));
        }));
    };
    instance_.run(ha::Operation::start, rule, start, !spec.standby,
                  [this, standby = spec.standby](Status result) {
                      if (result)
                          ports_.postgres.callback("on_start", standby ? Role::replica : Role::primary);
                  });
}

void Agent::Impl::promote(Timeline timeline, std::string_view rule) {
    configure_postgres();
    auto start = [this, timeline](Postgres& postgres, Done<void> done) {
        postgres.pre_promote(
            scope_.guard([this, timeline, &postgres, done = std::move(done)](Status allowed) mutable {
                if (!allowed) return done(std::unexpected(allowed.error()));
                if (lease_.valid_until() <= ports_.clock.now() && !state_.paused())
                    return done(fail(ErrorCode::cancelled, "the lock was lost before the promotion"));
                postgres.promote(timeline, std::move(done));
            }));
    };
    instance_.run(ha::Operation::promote, rule, start, true);
}

void Agent::Impl::write(const std::string& key, Expectation expect, std::optional<std::string> value,
                        LeaseId lease, std::function<void(const Error&)> failed) {
    if (mirror_.writing(key)) return;
    mirror_.write({key, std::move(expect), std::move(value), lease}, 2s,
                  [this, key, failed = std::move(failed)](Result<Revision> result) {
                      if (!result && failed) failed(result.error());
                      if (!result && result.error().code != ErrorCode::conflict)
                          ports_.log.warning("write-failed",
                                             fmt::format("cannot write {}: {}", key, result.error().message));
                  });
}

Expectation Agent::Impl::as_seen(const std::string& key) const {
    const Record* record = mirror_.record(key);
    return record ? Expectation(IfRevision{record->modified}) : Expectation(IfAbsent{});
}

void Agent::Impl::write_config() {
    JsonObject document = state_.config.bootstrap.dcs;
    if (document.empty()) document = {{"ttl", 30}, {"loop_wait", 10}, {"retry_timeout", 10}};
    write("config", IfAbsent{}, to_text(Json(document)));
}

}  // namespace pgherd::agent
