// The local PostgreSQL instance and the guard that is its parent.
//
// The shell runs one operation at a time (start … wipe); `observe`, `arm` and the events go on beside it. An
// operation that takes longer than a moment reports its progress. Failing leaves the instance in a state that
// `observe` tells; no operation touches a data directory that is foreign or unreadable.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/agent_config.h"
#include "model/dynamic_config.h"
#include "model/postgres_state.h"
#include "ports/completion.h"

namespace pgherd {

enum class StopMode { smart, fast, immediate };

// Where a standby streams from.
struct Upstream {
    MemberName member;  // empty: a host outside the cluster, or nobody
    std::string host;
    std::uint16_t port = 5432;
    std::string slot;  // primary_slot_name, empty = none
    bool none() const { return host.empty(); }
    bool operator==(const Upstream&) const = default;
};

struct StartSpec {
    bool standby = true;
    Upstream upstream;  // for a standby; none() = follow nobody, WAL from the archive at most
};

// What a server says of itself over the replication protocol: IDENTIFY_SYSTEM, TIMELINE_HISTORY and
// pg_is_in_recovery().
struct UpstreamHistory {
    SystemId system_id;
    Timeline timeline;
    Lsn position;
    bool in_recovery = false;
    // For every ancestor timeline, where the next one left it, oldest first.
    std::vector<std::pair<Timeline, Lsn>> switchpoints;
};

// Configuration of the instance as the agent wants it; rendered by the adapter into postgresql.conf,
// pg_hba.conf, ….
struct InstanceConfig {
    DynamicConfig dynamic;
    std::string synchronous_standby_names;  // as decided; empty = none (written even if users set another)
    bool operator==(const InstanceConfig&) const = delete;
};

enum class PostgresEvent {
    postmaster_died,   // and every process of it is gone: the instance is really down
    guard_fenced,      // the guard killed the primary because its deadline had passed
    receiver_changed,  // a hint: observe again
};

class Postgres {
  public:
    virtual ~Postgres() = default;

    using Events = std::function<void(PostgresEvent)>;
    using Progress = std::function<void(std::string)>;  // "copying 1.2 of 4.0 GB (30 %)"
    virtual void on_event(Events events) = 0;

    // Everything that can be learned by the deadline; what cannot is absent. Never fails because the server
    // is down.
    virtual void observe(Instant deadline, Done<PostgresState> done) = 0;

    // --- the guard
    // ----------------------------------------------------------------------------------------------- Until
    // `deadline` the instance may run as a primary; when it passes without another call, the guard kills it.
    // Done only when the guard has confirmed. Not armed = nothing runs as a primary: arm before start,
    // promote or bootstrap.
    virtual void arm(Instant deadline, Done<void> done) = 0;
    // The instance is no primary any more, or may stay one without a lease (pause).
    virtual void disarm(Done<void> done) = 0;

    // --- operations, one at a time
    // ------------------------------------------------------------------------------- Takes over new
    // settings; does not touch the server (reload, restart do).
    virtual void configure(const InstanceConfig& config) = 0;
    // initdb (or the user's method), start as primary, users, post_bootstrap. Leaves a running primary, or,
    // on failure, a stopped instance whose directory was moved aside. What it leaves is `unregistered`, also
    // after a restart of the brain, until `registered` is called.
    virtual void bootstrap(Progress progress, Done<void> done) = 0;
    virtual void registered() {}
    // Fills an absent or incomplete directory from `source`; leaves it stopped, as a standby.
    virtual void clone(const Upstream& source, Progress progress, Done<void> done) = 0;
    // Done when the server accepts connections, or failed to within `timeout` (it may still come up).
    virtual void start(const StartSpec& spec, Duration timeout, Done<void> done) = 0;
    // Done when every process is gone. `checkpoint`: CHECKPOINT first, while clients still write.
    // `safepoint`: called when no client session is left. Falls back from fast to immediate at `deadline`.
    virtual void stop(StopMode mode, bool checkpoint, Instant deadline, Then safepoint, Done<void> done) = 0;
    // Done when the server accepts writes. Sets nothing else. The new timeline is `claimed`; higher only if
    // PostgreSQL knows of one with that number already; 0 = the next that PostgreSQL knows to be free.
    virtual void promote(Timeline claimed, Done<void> done) = 0;
    // Points a running standby elsewhere: reload where the version allows it, restart otherwise.
    virtual void follow(const Upstream& upstream, Done<void> done) = 0;
    // Makes a stopped former primary (or a diverged standby) a copy of `source`'s history, with a journal
    // beside the data directory: when interrupted, the directory reads as `incomplete` afterwards. Fails with
    // `invalid` when nothing was changed and trying again will not help.
    virtual void rewind(const Upstream& source, Progress progress, Done<void> done) = 0;
    // Moves the data directory aside (one generation is kept), so that a clone can fill it. The instance is
    // stopped.
    virtual void quarantine(Done<void> done) = 0;
    virtual void restart(Duration timeout, Done<void> done) = 0;
    // Renders the configuration and reloads the server; pending restarts show up in observe().
    virtual void reload(Done<void> done) = 0;
    virtual void checkpoint(Done<void> done) = 0;

    // --- beside an operation
    // ------------------------------------------------------------------------------------- Sets
    // synchronous_standby_names, in force in the whole server; gives the WAL position noted after that.
    virtual void set_synchronous_standby_names(std::string names, Done<Lsn> done) = 0;
    // Creates, drops and (on standbys) advances physical slots so that exactly `wanted` and foreign ones
    // exist. On a primary a position of 0 means "from now on".
    virtual void sync_slots(std::map<std::string, Lsn> wanted, Done<void> done) = 0;
    virtual void upstream_history(const Upstream& upstream, Instant deadline, Done<UpstreamHistory> done) = 0;
    // Runs the user's callback (on_start, on_role_change, …), if there is one. A new one ends the running
    // one.
    virtual void callback(std::string_view event, Role role) = 0;
    // Runs the user's pre_promote command; fails when it says no. Nothing configured = success.
    virtual void pre_promote(Done<void> done) = 0;
};

}  // namespace pgherd
