// The local PostgreSQL as the agent works with it: the latest observation, one operation at a time, the
// guard's events.
//
// An operation has ended, for a decision, only with the first observation taken after it: a decision between
// the two would act on the past.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/scope.h"
#include "ha/observation.h"
#include "model/postgres_state.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/postgres.h"

namespace pgherd::agent {

class Instance {
  public:
    Instance(Postgres& postgres, Clock& clock, Log& log, std::function<void()> changed);

    // Asks for a fresh observation; several requests while one is under way become one.
    void observe();
    bool observed() const { return observed_; }
    const PostgresState& state() const { return state_; }
    const std::optional<ha::RunningOperation>& running() const { return running_; }
    const std::optional<ha::FinishedOperation>& finished() const { return finished_; }
    const std::string& progress() const { return progress_; }
    // How long the last one of each kind of operation took that succeeded.
    const std::map<std::string, Duration>& took() const { return took_; }
    // Two looks in a row found sessions waiting for the disk, and not a byte more of WAL on it.
    bool wal_stands_still() const { return wal_stands_still_; }
    std::optional<Lsn> sync_noted() const { return sync_noted_; }
    // Nothing: set by an earlier life of this agent, and PostgreSQL has told nothing yet.
    const std::optional<std::string>& sync_names() const { return sync_names_; }

    // Begins `operation`; `start` makes the call of the port. Nothing may be running.
    using Start = std::function<void(Postgres&, Done<void>)>;
    void run(ha::Operation operation, std::string_view rule, Start start, bool as_primary = false,
             Done<void> done = {});
    // Whatever runs: the instance must not be a primary any more, at once. The guard does it.
    void fence(std::string_view rule);
    // The server is down: what its configuration says is in force when it runs, and stays so at a reload.
    void will_start_with(const std::string& sync_names) { sync_names_ = sync_names; }
    void set_sync_names(std::string names);
    Postgres::Progress progress_sink();

  private:
    void on_event(PostgresEvent event);
    void observation(Result<PostgresState> result);

    Postgres& postgres_;
    Clock& clock_;
    Log& log_;
    std::function<void()> changed_;
    PostgresState state_;
    bool observed_ = false;
    bool wal_stands_still_ = false;
    bool observing_ = false;
    bool observe_again_ = false;
    std::optional<ha::RunningOperation> running_;
    std::optional<ha::FinishedOperation> finished_;
    std::optional<ha::FinishedOperation> ended_;  // done, but not observed yet
    std::string progress_;
    std::map<std::string, Duration> took_;
    std::optional<std::string> sync_names_;  // last asked for
    bool setting_sync_names_ = false;
    Instant sync_names_not_before_;  // after a failure
    std::optional<Lsn> sync_noted_;
    Scope scope_;
};

}  // namespace pgherd::agent
