// The port Postgres on the instance of this machine.
//
// Everything runs as coroutines on the event loop; child processes and the postmaster's end are events,
// nothing blocks but small files. Destroying it is the death of the brain as far as PostgreSQL is concerned:
// children of ours (initdb, pg_basebackup, …) end, the postmaster runs on under the guard.
#pragma once

#include <memory>

#include "base/result.h"
#include "eventloop/loop.h"
#include "guard/client.h"
#include "model/agent_config.h"
#include "ports/log.h"
#include "ports/postgres.h"

namespace pgherd::postgres {

class Instance;

class LocalPostgres final : public Postgres {
  public:
    // `loop` and `log` outlive it. Errors: no user to run PostgreSQL as, no PostgreSQL of a fitting version.
    // Nothing is changed on disk before the first operation.
    static Result<std::unique_ptr<LocalPostgres>> create(EventLoop& loop, AgentConfig config,
                                                         guard::Client guard, Log& log);
    ~LocalPostgres() override;
    LocalPostgres(const LocalPostgres&) = delete;
    LocalPostgres& operator=(const LocalPostgres&) = delete;

    // Takes over what may change of the agent's own file (SIGHUP); the data directory may not.
    void reconfigure(AgentConfig config);
    // Tells the guard that this brain has come up (see guard/protocol.h).
    void ready();

    void on_event(Events events) override;
    void observe(Instant deadline, Done<PostgresState> done) override;
    void arm(Instant deadline, Done<void> done) override;
    void disarm(Done<void> done) override;
    void configure(const InstanceConfig& config) override;
    void bootstrap(Progress progress, Done<void> done) override;
    void registered() override;
    void clone(const Upstream& source, Progress progress, Done<void> done) override;
    void start(const StartSpec& spec, Duration timeout, Done<void> done) override;
    void stop(StopMode mode, bool checkpoint, Instant deadline, Then safepoint, Done<void> done) override;
    void promote(Timeline claimed, Done<void> done) override;
    void follow(const Upstream& upstream, Done<void> done) override;
    void rewind(const Upstream& source, Progress progress, Done<void> done) override;
    void quarantine(Done<void> done) override;
    void restart(Duration timeout, Done<void> done) override;
    void reload(Done<void> done) override;
    void checkpoint(Done<void> done) override;
    void set_synchronous_standby_names(std::string names, Done<Lsn> done) override;
    void sync_slots(std::map<std::string, Lsn> wanted, Done<void> done) override;
    void upstream_history(const Upstream& upstream, Instant deadline, Done<UpstreamHistory> done) override;
    void callback(std::string_view event, Role role) override;
    void pre_promote(Done<void> done) override;

  private:
    explicit LocalPostgres(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}

    std::shared_ptr<Instance> instance_;
};

}  // namespace pgherd::postgres
