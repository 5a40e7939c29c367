// The cycle of the agent: what was heard becomes an observation, the core decides, the actions go to the
// ports.
//
// Long because it is the one place where every part of the agent meets: the whole cycle is to be read from
// top to bottom.
#include "agent/agent.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "agent/alive.h"
#include "agent/instance.h"
#include "agent/lease.h"
#include "agent/publisher.h"
#include "agent/questions.h"
#include "agent/requests.h"
#include "agent/store_mirror.h"
#include "base/text.h"
#include "codec/dynamic_config.h"
#include "codec/json.h"
#include "codec/records.h"
#include "ha/slots.h"
#include "syncrep/syncrep.h"

namespace pgherd::agent {

using namespace std::chrono_literals;

namespace {
constexpr Duration kTick = 1s;  // how often everything is looked at again, even if nothing happens

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

class Agent::Impl {
  public:
    Impl(AgentConfig config, Ports ports, std::move_only_function<void(std::string)> on_exit, Decide decide);

    void start();
    void shutdown(Then done);
    void reload(AgentConfig config);

    AgentState state_;
    Requests requests_;
    RestApi rest_;

  private:
    // --- the cycle: observe, decide, act
    void changed();
    void step();
    void tick();
    void observe();
    void note(const ha::Decision& decision);
    void schedule(std::optional<Instant> wake);
    // --- acting
    void perform(const ha::Action& action, const ha::Decision& decision);
    void perform_on_store(const ha::Action& action, const std::string& why);
    void perform_operation(const ha::Action& action, std::string_view rule);
    void stop(ha::StopKind kind, std::string_view rule);
    void start_postgres(const StartSpec& spec, std::string_view rule);
    void promote(Timeline timeline, std::string_view rule);
    void write(const std::string& key, Expectation expect, std::optional<std::string> value,
               LeaseId lease = {}, std::function<void(const Error&)> failed = {});
    // A record may be replaced only as this decision has seen it.
    Expectation as_seen(const std::string& key) const;
    void write_config();
    // --- what needs no decision
    void apply_config();
    void configure_postgres();
    void maintain();
    void sync_slots();
    void finish_shutdown();
    void notify_role();
    Upstream upstream(const MemberName& member) const;
    std::optional<MemberName> following() const;
    Duration question_limit() const;

    Ports ports_;
    std::move_only_function<void(std::string)> on_exit_;
    Decide decide_;
    StoreMirror mirror_;
    Lease lease_;
    Instance instance_;
    Questions questions_;
    Publisher publisher_;
    ha::Memory memory_;
    Timer timer_;
    bool step_pending_ = false;
    bool reload_due_ = false;
    std::optional<Revision> uncertain_sync_;  // a write against this revision of `sync` may still happen
    std::string applied_config_;
    Role last_role_ = Role::uninitialized;  // as the callbacks know it
    std::map<std::string, Lsn> slots_;      // as last asked for
    Instant slots_synced_;
    bool syncing_slots_ = false;
    std::map<MemberName, Instant> last_seen_members_;
    std::optional<std::string> exit_why_;  // as soon as no write is under way
    Then shutting_down_;
    bool stop_begun_ = false;
    bool revoking_ = false;
    Alive alive_;
};

Agent::Impl::Impl(AgentConfig config, Ports ports, std::move_only_function<void(std::string)> on_exit,
                  Decide decide)
    : requests_(state_, mirror_, instance_, ports.clock, ports.log),
      rest_(state_, requests_),
      ports_(ports),
      on_exit_(std::move(on_exit)),
      decide_(std::move(decide)),
      mirror_(ports.store, ports.clock, ports.log, [this] { changed(); }),
      lease_(config.name, ports.store, mirror_, ports.clock, ports.postgres, ports.log,
             [this] { changed(); }),
      instance_(ports.postgres, ports.clock, ports.log, [this] { changed(); }),
      questions_(ports.peers, ports.postgres, ports.clock, ports.log, [this] { changed(); }),
      publisher_(mirror_, lease_, ports.clock) {
    state_.config = std::move(config);
    state_.started = ports_.clock.now();
    ha::Self& self = state_.seen.self;
    self.name = state_.config.name;
    self.may_bootstrap = state_.config.has_bootstrap;
    self.bootstrap_without_leader =
        std::ranges::any_of(state_.config.postgres.create_replica_methods, &ReplicaMethod::no_leader);
    if (auto initial = parse_dynamic_config(state_.config.bootstrap.dcs)) state_.seen.config = *initial;
}

void Agent::Impl::start() {
    const DynamicConfig& config = state_.seen.config;
    lease_.configure(config.ttl, config.loop_wait, config.pause);
    configure_postgres();
    mirror_.start();
    tick();
}

// --- the cycle
// ---------------------------------------------------------------------------------------------------------

void Agent::Impl::changed() {
    if (std::exchange(step_pending_, true)) return;
    ports_.clock.post(alive_([this] {
        step_pending_ = false;
        step();
    }));
}

void Agent::Impl::tick() {
    instance_.observe();
    step();
}

void Agent::Impl::step() {
    apply_config();
    observe();
    if (!instance_.observed()) {
        lease_.tick(false);
        return schedule(std::nullopt);
    }
    ha::Decision decision = decide_(state_.seen, memory_);
    note(decision);
    memory_ = decision.memory;
    bool renew = shutting_down_ != nullptr;
    if (!shutting_down_)
        for (const ha::Action& action : decision.actions) {
            renew = renew || std::holds_alternative<ha::RenewLock>(action);
            perform(action, decision);
        }
    lease_.tick(renew);
    state_.decision = std::move(decision);
    observe();  // what the actions have begun
    requests_.step();
    if (shutting_down_)
        finish_shutdown();
    else
        maintain();
    state_.published = describe_member(state_.config, state_.seen, memory_, state_.scheduled_restart);
    if (requests_.leaves_synchronous_set()) state_.published.tags.nosync = true;
    notify_role();
    publisher_.publish(state_);
    schedule(state_.decision.wake);
    if (exit_why_ && !mirror_.writing("initialize")) on_exit_(*std::exchange(exit_why_, std::nullopt));
}

void Agent::Impl::observe() {
    ha::Observation& seen = state_.seen;
    seen.now = ports_.clock.now();
    seen.wall = ports_.clock.wall();
    seen.self.may_lead = state_.config.tags.may_lead();
    seen.self.priority = state_.config.tags.failover_priority.value_or(1);
    seen.cluster = mirror_.view();
    seen.store_ok = mirror_.ok();
    seen.store_silent_since = mirror_.silent_since();
    seen.initialize_mine = seen.cluster && seen.cluster->initialize_exists && !seen.cluster->initialize &&
                           lease_.id().value() != 0 && seen.cluster->initialize_lease == lease_.id();
    seen.lock_valid_until = lease_.valid_until();
    seen.lock_lost = lease_.lost();
    seen.failsafe_valid_until = questions_.confirmed_until();
    seen.failsafe_round_failed = questions_.failsafe_failed();
    seen.failsafe_leader = requests_.failsafe_leader();
    seen.failsafe_leader_until = requests_.failsafe_leader_until();
    seen.pg = instance_.state();
    seen.running = instance_.running();
    seen.finished = instance_.finished();
    seen.sync_noted_lsn = instance_.sync_noted();
    // An earlier brain may have left a write under way.
    if (seen.cluster && !uncertain_sync_) uncertain_sync_ = seen.cluster->sync.modified;
    seen.sync_uncertain = seen.cluster && seen.cluster->sync.modified.value() != 0 &&
                          seen.cluster->sync.modified == *uncertain_sync_;
    seen.peers = questions_.peers();
    seen.upstream = questions_.upstream();
    seen.following = following();
    const auto& control = seen.pg.control;
    seen.self.can_rewind =
        seen.config.use_pg_rewind && (!control || control->checksums || control->wal_log_hints);
    state_.store_last_seen = mirror_.last_seen();
    state_.progress = instance_.progress();
    state_.failsafe_active = !seen.store_ok && seen.now < seen.failsafe_valid_until;
    // The confirmation of the members counts until the store has said again who leads.
    bool settled =
        seen.cluster && (lease_.valid_until() > seen.now || (!seen.cluster->unlocked() && lease_.lost()));
    if (seen.store_ok && settled && seen.failsafe_valid_until != Instant{}) questions_.forget_failsafe();
}

void Agent::Impl::note(const ha::Decision& decision) {
    state_.last_decision = state_.seen.now;
    if (decision.rule == state_.decision.rule && decision.text == state_.decision.text) return;
    ++state_.rule_counts[std::string(decision.rule)];
    ports_.log.write({LogLevel::info, "decision", decision.text, {{"rule", std::string(decision.rule)}}});
}

void Agent::Impl::schedule(std::optional<Instant> wake) {
    Instant now = ports_.clock.now();
    Instant next = now + kTick;
    if (wake) next = std::min(next, std::max(*wake, now + 1ms));
    next = std::min(next, std::max(lease_.next_due(), now + 50ms));
    timer_ = ports_.clock.call_at(next, alive_([this] { tick(); }));
}

// --- acting
// ------------------------------------------------------------------------------------------------------------

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
                const Revision& modified = wanted.record.modified;
                Expectation expect =
                    modified.value() == 0 ? Expectation(IfAbsent{}) : Expectation(IfRevision{modified});
                write("sync", std::move(expect), write_sync(wanted.record), {},
                      [this, modified](const Error& error) {
                          if (error.maybe_done()) uncertain_sync_ = modified;
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
                if (view) questions_.ask_peers(*view, ask.members, question_limit());
            },
            [&](const ha::AskFailsafe& ask) {
                if (!view) return;
                FailsafeMessage message{state_.config.name, state_.published.conn_url,
                                        state_.published.api_url, view->status.slots};
                questions_.ask_failsafe(*view, ask.members, message, question_limit(),
                                        state_.seen.config.ttl);
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
                configure_postgres();
                instance_.run(
                    Operation::bootstrap, rule,
                    [this](Postgres& postgres, Done<void> done) {
                        // There is no lock yet: what is ours is `initialize`, as long as our lease.
                        postgres.arm(lease_.end(),
                                     alive_([this, &postgres, done = std::move(done)](Status armed) mutable {
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
            std::min(deadline, std::max(state_.seen.lock_valid_until, state_.seen.failsafe_valid_until));
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
        postgres.disarm(alive_([&postgres, spec, timeout, done = std::move(done)](Status) mutable {
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
            alive_([this, timeline, &postgres, done = std::move(done)](Status allowed) mutable {
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

// --- what needs no decision
// --------------------------------------------------------------------------------------------

void Agent::Impl::apply_config() {
    auto view = mirror_.view();
    if (!view || !view->config_revision) return;
    if (!view->config) {
        if (std::exchange(applied_config_, view->config_error) != view->config_error)
            ports_.log.error("config-refused",
                             "the configuration in the store is not understood, the last one stays: " +
                                 view->config_error);
        return;
    }
    std::string text = to_text(Json(view->config->document));
    if (text == applied_config_) return;
    applied_config_ = std::move(text);
    state_.seen.config = *view->config;
    lease_.configure(view->config->ttl, view->config->loop_wait, view->config->pause);
    configure_postgres();
    reload_due_ = true;
    ports_.log.info("config-applied",
                    fmt::format("configuration of revision {} is in force", view->config_revision->value()));
}

void Agent::Impl::configure_postgres() {
    InstanceConfig wanted{state_.seen.config, instance_.sync_names(), {}};
    auto view = mirror_.view();
    // A primary that starts again must not acknowledge alone what the record promises to its standbys.
    if (view && !view->sync.empty() && !instance_.state().running()) {
        wanted.synchronous_standby_names =
            syncrep::render_names(syncrep::names_for(view->sync, state_.config.name, state_.seen.config));
        instance_.will_start_with(wanted.synchronous_standby_names);
    }
    ports_.postgres.configure(wanted);
}

void Agent::Impl::maintain() {
    if (instance_.running() || !instance_.state().running()) return;
    if (reload_due_) {
        reload_due_ = false;
        configure_postgres();
        instance_.run(
            ha::Operation::reload, "config-changed",
            [](Postgres& postgres, Done<void> done) { postgres.reload(std::move(done)); },
            instance_.state().primary());
        ports_.postgres.callback("on_reload", state_.published.role);
        return;
    }
    sync_slots();
}

void Agent::Impl::sync_slots() {
    auto view = mirror_.view();
    if (!view || syncing_slots_ || !instance_.state().in_recovery || state_.paused()) return;
    Instant now = ports_.clock.now();
    for (const auto& [name, member] : view->members) last_seen_members_[name] = now;
    ha::SlotInput input{.self = state_.config.name,
                        .primary = instance_.state().primary(),
                        .may_lead = state_.config.tags.may_lead(),
                        .cluster = view.get(),
                        .config = &state_.seen.config,
                        .gone = {},
                        .now = now};
    for (const auto& [name, at] : last_seen_members_)
        if (!view->members.contains(name)) input.gone[name] = at;
    auto wanted = ha::wanted_slots(input);
    bool due = now - slots_synced_ >= state_.seen.config.loop_wait;
    if (wanted == slots_ && !due) return;
    syncing_slots_ = true;
    slots_synced_ = now;
    slots_ = wanted;
    ports_.postgres.sync_slots(
        std::move(wanted), alive_([this](Status result) {
            syncing_slots_ = false;
            if (!result)
                ports_.log.warning("slots",
                                   with_context(result.error(), "cannot keep the replication slots").message);
        }));
}

Upstream Agent::Impl::upstream(const MemberName& name) const {
    const DynamicConfig& config = state_.seen.config;
    if (name.empty()) {
        if (config.standby_cluster && mirror_.view() && mirror_.view()->led_by(state_.config.name))
            return {{},
                    config.standby_cluster->host,
                    config.standby_cluster->port,
                    config.standby_cluster->primary_slot_name};
        return {};
    }
    const Member* member = mirror_.view() ? mirror_.view()->member(name) : nullptr;
    if (!member) return {};
    return {name, member->host(), member->port(), config.use_slots ? ha::slot_name(state_.config.name) : ""};
}

std::optional<MemberName> Agent::Impl::following() const {
    const std::string& conninfo = state_.seen.pg.primary_conninfo;
    if (conninfo.empty()) return MemberName();
    std::string host, port = "5432";
    for (const std::string& word : split(conninfo, ' ')) {
        std::string_view text(word);
        auto value = [&] { return std::string(text.substr(text.find('=') + 1)); };
        if (text.starts_with("host=")) host = value();
        if (text.starts_with("port=")) port = value();
    }
    std::erase(host, '\'');
    std::erase(port, '\'');
    if (mirror_.view())
        for (const auto& [name, member] : mirror_.view()->members)
            if (member.host() == host && std::to_string(member.port()) == port) return name;
    return std::nullopt;
}

void Agent::Impl::notify_role() {
    if (!instance_.state().running() || !instance_.state().in_recovery) return;
    Role role = state_.published.role;
    Role before = std::exchange(last_role_, role);
    if (before != Role::uninitialized && before != role) ports_.postgres.callback("on_role_change", role);
}

Duration Agent::Impl::question_limit() const {
    return std::clamp<Duration>(state_.seen.config.ttl / 5, 200ms, 2s);
}

// --- end and change of configuration
// -----------------------------------------------------------------------------------

void Agent::Impl::shutdown(Then done) {
    if (shutting_down_) return;
    shutting_down_ = std::move(done);
    ports_.log.info("shutdown", state_.paused() ? "the agent ends; PostgreSQL stays, the cluster is paused"
                                                : "the agent ends and stops PostgreSQL");
    changed();
}

void Agent::Impl::finish_shutdown() {
    if (revoking_) return;
    if (instance_.state().postmaster != Postmaster::stopped && !state_.paused()) {
        if (instance_.running() || std::exchange(stop_begun_, true)) return;
        bool primary = instance_.state().primary();
        Instant deadline = ports_.clock.now() + state_.config.postgres.pg_ctl_timeout;
        instance_.run(ha::Operation::stop, "shutdown",
                      [primary, deadline](Postgres& postgres, Done<void> stopped) {
                          postgres.stop(StopMode::fast, primary, deadline, [] {}, std::move(stopped));
                      });
        return;
    }
    if (instance_.running()) return;
    revoking_ = true;
    if (state_.paused()) return shutting_down_();
    // The lock and the member record go with the lease.
    if (state_.seen.pg.control && lease_.holds())
        publisher_.publish_final_position(state_.seen.pg.control->checkpoint);
    lease_.revoke(alive_([this] { shutting_down_(); }));
}

void Agent::Impl::reload(AgentConfig config) {
    // The identity of a member never changes while it runs.
    config.name = state_.config.name;
    config.scope = state_.config.scope;
    config.namespace_ = state_.config.namespace_;
    state_.config = std::move(config);
    configure_postgres();
    reload_due_ = true;
    changed();
}

Agent::Agent(AgentConfig config, Ports ports, std::move_only_function<void(std::string)> on_exit,
             Decide decide)
    : impl_(std::make_unique<Impl>(std::move(config), ports, std::move(on_exit), std::move(decide))) {}
Agent::~Agent() = default;
void Agent::start() {
    impl_->start();
}
void Agent::shutdown(Then done) {
    impl_->shutdown(std::move(done));
}
void Agent::reload(AgentConfig config) {
    impl_->reload(std::move(config));
}
void Agent::on_reload(std::function<void()> call) {
    impl_->requests_.on_reload = std::move(call);
}
void Agent::handle(HttpRequest request, std::move_only_function<void(HttpResponse)> reply) {
    impl_->rest_.handle(std::move(request), std::move(reply));
}
const AgentState& Agent::state() const {
    return impl_->state_;
}

}  // namespace pgherd::agent
