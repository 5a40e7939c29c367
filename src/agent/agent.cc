// The cycle of the agent: what was heard becomes an observation, the core decides, the actions go to the
// ports (actions.cc). It is to be read from top to bottom.
#include "agent/agent.h"

#include <algorithm>
#include <utility>

#include "agent/impl.h"
#include "codec/dynamic_config.h"
#include "ha/failsafe.h"

namespace pgherd::agent {

using namespace std::chrono_literals;

namespace {
constexpr Duration kTick = 1s;   // how often everything is looked at again, even if nothing happens
constexpr Duration kLeave = 2s;  // how long a leader that has ended waits for its successor
}  // namespace

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
      questions_(config.scope, ports.peers, ports.postgres, ports.clock, ports.log, [this] { changed(); }),
      publisher_(config.name, mirror_, lease_, ports.clock) {
    state_.config = std::move(config);
    state_.started = ports_.clock.now();
    state_.seen.now = state_.started;
    state_.seen.failsafe_unsure_until = state_.started + DynamicConfig{}.ttl;
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

void Agent::Impl::changed() {
    if (std::exchange(step_pending_, true)) return;
    ports_.clock.post(scope_.guard([this] {
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
    if (revoking_) return take_leave();
    if (!instance_.observed()) {
        lease_.tick(false);
        return schedule(std::nullopt);
    }
    ha::Decision decision = decide_(state_.seen, memory_);
    memory_ = decision.memory;
    bool renew = shutting_down_ != nullptr;
    if (!shutting_down_) {
        note(decision);
        for (const ha::Action& action : decision.actions) {
            renew = renew || std::holds_alternative<ha::RenewLock>(action);
            perform(action, decision);
        }
    }
    lease_.tick(renew);
    if (Instant until = ha::confirmed_until(state_.seen); until > ports_.clock.now() && !state_.paused())
        lease_.extend(until);
    state_.decision = std::move(decision);
    observe();  // what the actions have begun
    requests_.step();
    if (shutting_down_)
        finish_shutdown();
    else
        maintain();
    state_.published = describe_member(state_.config, state_.seen, memory_, state_.scheduled_restart);
    if (requests_.leaves_synchronous_set()) state_.published.tags.nosync = true;
    const MemberState shown = state_.published.state;
    if (state_.decision.needs_operator && (shown == MemberState::stopped || shown == MemberState::crashed))
        state_.published.state = MemberState::start_failed;
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
    const PostgresConfig& local = state_.config.postgres;
    seen.self.remove_data_on_rewind_failure = local.remove_data_directory_on_rewind_failure;
    seen.self.remove_data_on_divergence = local.remove_data_directory_on_diverged_timelines;
    seen.cluster = mirror_.view();
    seen.store_ok = mirror_.ok() && !lost_to_the_primary();
    seen.store_silent_since = mirror_.silent_since();
    seen.initialize_mine = seen.cluster && seen.cluster->initialize_exists && !seen.cluster->initialize &&
                           lease_.id().value() != 0 && seen.cluster->initialize_lease == lease_.id();
    seen.lock_valid_until = lease_.valid_until();
    seen.lock_lost = lease_.lost();
    seen.lock_picture = lease_.picture();
    seen.watchdog_usable = lease_.enforced();
    seen.confirmations = questions_.confirmations();
    if (seen.cluster)
        for (const auto& [name, member] : seen.cluster->members)
            seen.asks_voters[name] = member.failsafe_votes;
    seen.failsafe_vetoed = questions_.failsafe_vetoed();
    seen.failsafe_round_until = questions_.failsafe_round_until();
    seen.failsafe_guarded_until = lease_.extended_until();
    seen.failsafe_listed = publisher_.failsafe_listed();
    seen.failsafe_list_certain = publisher_.failsafe_list_certain();
    seen.failsafe_leader = requests_.failsafe_leader();
    seen.failsafe_leader_until = requests_.failsafe_leader_until();
    seen.failsafe_unsure_until = state_.started + seen.config.ttl;
    seen.pg = instance_.state();
    seen.wal_stands_still = instance_.wal_stands_still();
    seen.running = instance_.running();
    seen.finished = instance_.finished();
    seen.sync_noted_lsn = instance_.sync_noted();
    // An earlier brain may have left a write under way.
    if (seen.cluster && !uncertain_sync_) uncertain_sync_ = seen.cluster->sync.modified;
    seen.sync_uncertain = seen.cluster && seen.cluster->sync.modified.value() != 0 &&
                          seen.cluster->sync.modified == *uncertain_sync_;
    if (seen.cluster) {
        const Revision& now = seen.cluster->sync.modified;
        if (!found_sync_) found_sync_ = now;
        seen.sync_as_found = now == *found_sync_;
        std::erase_if(sync_attempts_, [&](const SyncRecord& tried) { return tried.modified != now; });
        seen.sync_attempts = sync_attempts_;
    }
    seen.peers = questions_.peers();
    seen.upstream = questions_.upstream();
    seen.following = following();
    const auto& control = seen.pg.control;
    seen.self.can_rewind =
        seen.config.use_pg_rewind && (!control || control->checksums || control->wal_log_hints);
    state_.store_last_seen = mirror_.last_seen();
    state_.progress = instance_.progress();
    state_.operation_took = instance_.took();
    state_.failsafe_active = !seen.store_ok && seen.now < ha::failsafe_until(seen);
    // The confirmation of the members counts until the lease reaches as far, or another one leads.
    bool renewed = lease_.valid_until() > seen.now && lease_.valid_until() >= ha::failsafe_until(seen);
    bool settled = renewed || (seen.cluster && !seen.cluster->unlocked() && lease_.lost());
    if (seen.store_ok && settled && seen.failsafe_round_until != Instant{}) {
        questions_.forget_failsafe();
        seen.confirmations.clear();
        seen.failsafe_round_until = Instant{};
        lease_.retract();
    }
}

// A primary that may read the store, but not renew its lease there, has lost it like any other, and members
// may keep it going. What it can read only makes it hear sooner that another one leads.
bool Agent::Impl::lost_to_the_primary() const {
    const PostgresState& pg = instance_.state();
    return state_.seen.config.failsafe_mode && lease_.withheld() && pg.running() && !pg.standby();
}

void Agent::Impl::note(const ha::Decision& decision) {
    state_.last_decision = state_.seen.now;
    if (decision.rule == state_.decision.rule && decision.text == state_.decision.text) return;
    ++state_.rule_counts[std::string(decision.rule)];
    ports_.log.write({decision.needs_operator ? LogLevel::warning : LogLevel::info,
                      "decision",
                      decision.text,
                      {{"rule", std::string(decision.rule)}}});
}

void Agent::Impl::schedule(std::optional<Instant> wake) {
    Instant now = ports_.clock.now();
    Instant next = now + kTick;
    if (wake) next = std::min(next, std::max(*wake, now + 1ms));
    next = std::min(next, std::max(lease_.next_due(), now + 50ms));
    timer_ = ports_.clock.call_at(next, scope_.guard([this] { tick(); }));
}

void Agent::Impl::shutdown(Then done) {
    if (shutting_down_) return;
    shutting_down_ = std::move(done);
    ports_.log.info("shutdown", state_.paused() ? "the agent ends; PostgreSQL stays, the cluster is paused"
                                                : "the agent ends and stops PostgreSQL");
    changed();
}

void Agent::Impl::finish_shutdown() {
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
    // What fills a data directory may take hours, and is begun anew if it does not end: it goes with this
    // process.
    const auto& running = instance_.running();
    bool fills = running && (running->operation == ha::Operation::clone ||
                             running->operation == ha::Operation::bootstrap);
    if (running && !fills) return;
    revoking_ = true;
    if (state_.paused()) return shutting_down_();
    // The lock and the member record go with the lease.
    led_until_the_end_ = lease_.holds();
    if (led_until_the_end_) {
        if (state_.seen.pg.control) publisher_.publish_final_position(state_.seen.pg.control->checkpoint);
        publisher_.leave_failsafe_list();
    }
    lease_.revoke(scope_.guard([this] {
        leave_by_ = ports_.clock.now() + kLeave;
        changed();
    }));
}

// Candidates ask the last leader before they take over. One that answers is soon believed; of one that is
// gone they have to wait for the time limit, as its host may be gone, too.
void Agent::Impl::take_leave() {
    if (!leave_by_ || !shutting_down_) return;
    const auto& view = state_.seen.cluster;
    bool others = view && std::ranges::any_of(view->members, [&](const auto& entry) {
                      return entry.first != state_.config.name && entry.second.tags.may_lead();
                  });
    bool succeeded = view && !view->unlocked() && !view->led_by(state_.config.name);
    if (led_until_the_end_ && others && !succeeded && state_.seen.now < *leave_by_)
        return schedule(*leave_by_);
    std::exchange(shutting_down_, nullptr)();
}

void Agent::Impl::reload(AgentConfig config) {
    // The identity of a member never changes while it runs.
    config.name = state_.config.name;
    config.scope = state_.config.scope;
    config.namespace_ = state_.config.namespace_;
    state_.config = std::move(config);
    configure_postgres();
    reload_.ask();
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
