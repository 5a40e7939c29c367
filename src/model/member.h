// A member of the cluster as it describes itself in the store (reference: Patroni 4.1 `members/<name>`).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <boost/json/value.hpp>

#include "base/lsn.h"
#include "base/strong.h"
#include "base/time.h"

namespace pgherd {

using Json = boost::json::value;
using JsonObject = boost::json::object;

// The states a member publishes; the order is Patroni's and appears as a number in /metrics.
enum class MemberState {
    initdb,                   // "initializing new cluster"
    initdb_failed,            // "initdb failed"
    custom_bootstrap,         // "running custom bootstrap script"
    custom_bootstrap_failed,  // "custom bootstrap failed"
    creating_replica,         // "creating replica"
    running,                  // "running"
    starting,                 // "starting"
    bootstrap_starting,       // "starting after custom bootstrap"
    start_failed,             // "start failed"
    restarting,               // "restarting"
    restart_failed,           // "restart failed"
    stopping,                 // "stopping"
    stopped,                  // "stopped"
    stop_failed,              // "stop failed"
    crashed,                  // "crashed"
};

enum class Role { primary, standby_leader, replica, demoted, promoted, uninitialized };

std::string_view to_string(MemberState state);
std::string_view to_string(Role role);
std::optional<MemberState> parse_member_state(std::string_view text);
std::optional<Role> parse_role(std::string_view text);  // "master" is read as primary

// The tags of a member. `all` keeps every tag as written, also those that pgherd does not know.
struct Tags {
    bool nofailover = false;
    std::optional<int> failover_priority;  // 0 = never
    bool nosync = false;
    std::optional<int> sync_priority;
    bool clonefrom = false;
    bool noloadbalance = false;
    bool nostream = false;
    MemberName replicatefrom;
    JsonObject all;

    bool may_lead() const { return !nofailover && failover_priority.value_or(1) > 0; }
    bool may_sync() const { return !nosync && sync_priority.value_or(1) > 0; }
};

struct PendingRestartReason {
    std::string old_value;
    std::string new_value;
};

struct ScheduledRestart {
    WallTime at;
    std::string postmaster_start_time;  // only this very postmaster is restarted
    std::optional<Role> role;
    std::string postgres_version;  // only when the server is older
    std::optional<Duration> timeout;
    bool restart_pending = false;  // only when a restart is pending
};

struct Member {
    MemberName name;
    std::string conn_url;  // postgres://host:port/db
    std::string api_url;   // http[s]://host:port/patroni
    std::string proxy_url;
    MemberState state = MemberState::stopped;
    Role role = Role::uninitialized;
    std::string version;  // the Patroni version that the member is compatible with
    Tags tags;
    bool pending_restart = false;
    std::map<std::string, PendingRestartReason> pending_restart_reason;
    std::optional<Lsn> xlog_location;
    std::optional<Lsn> receive_lsn;
    std::optional<Lsn> replay_lsn;
    std::string replication_state;  // "streaming", "in archive recovery" or empty
    std::optional<Timeline> timeline;
    // False from a promotion until the first checkpoint after it has finished; absent afterwards.
    std::optional<bool> checkpoint_after_promote;
    std::optional<ScheduledRestart> scheduled_restart;
    bool pause = false;  // the member has applied the pause
    // pgherd's own key: as a candidate it asks the voters whether they have confirmed a leader in failsafe
    // mode.
    bool failsafe_votes = false;
    JsonObject unknown;  // keys of a newer or a foreign member

    bool running() const { return state == MemberState::running; }
    std::string host() const;    // from conn_url, empty if malformed
    std::uint16_t port() const;  // from conn_url, 5432 by default
};

}  // namespace pgherd
