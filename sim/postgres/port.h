// The Postgres port of one brain on its member's instance: what an agent asks goes to the model (server.h),
// what the model answers comes back through the brain's gate.
#pragma once

#include "ports/postgres.h"
#include "sim/gate.h"
#include "sim/postgres/server.h"

namespace pgherd::sim {

class PostgresPort final : public Postgres {
  public:
    PostgresPort(World& world, Server& server, GatePtr gate)
        : world_(world), server_(server), gate_(std::move(gate)) {}

    void on_event(Events events) override;
    void observe(Instant deadline, Done<PostgresState> done) override;
    void arm(Instant deadline, Done<void> done) override {
        server_.arm(deadline, gate_->through(std::move(done)));
    }
    void disarm(Done<void> done) override { server_.disarm(gate_->through(std::move(done))); }
    void configure(const InstanceConfig& config) override {
        server_.configure(config.synchronous_standby_names);
    }
    void bootstrap(Progress, Done<void> done) override { server_.bootstrap(gate_->through(std::move(done))); }
    void registered() override { server_.registered(); }
    void clone(const Upstream& source, Progress, Done<void> done) override {
        server_.clone(source, gate_->through(std::move(done)));
    }
    void start(const StartSpec& spec, Duration timeout, Done<void> done) override;
    void stop(StopMode mode, bool checkpoint, Instant deadline, Then safepoint, Done<void> done) override;
    void promote(Timeline claimed, Done<void> done) override {
        server_.promote(claimed, gate_->through(std::move(done)));
    }
    void follow(const Upstream& upstream, Done<void> done) override {
        server_.follow(upstream, gate_->through(std::move(done)));
    }
    void rewind(const Upstream& source, Progress, Done<void> done) override {
        server_.rewind(source, gate_->through(std::move(done)));
    }
    void quarantine(Done<void> done) override { server_.quarantine(gate_->through(std::move(done))); }
    void restart(Duration timeout, Done<void> done) override {
        server_.restart(timeout, gate_->through(std::move(done)));
    }
    void reload(Done<void> done) override { server_.reload(gate_->through(std::move(done))); }
    void checkpoint(Done<void> done) override { server_.checkpoint(gate_->through(std::move(done))); }
    void set_synchronous_standby_names(std::string names, Done<Lsn> done) override;
    void sync_slots(std::map<std::string, Lsn> wanted, Done<void> done) override;
    void upstream_history(const Upstream& upstream, Instant deadline, Done<UpstreamHistory> done) override;
    void callback(std::string_view, Role) override {}
    void pre_promote(Done<void> done) override;

  private:
    World& world_;
    Server& server_;
    GatePtr gate_;
};

}  // namespace pgherd::sim
