// The dynamic configuration: one document in the store, shared by all members (`config`).
//
// The document itself stays as users wrote it; this is what pgherd understands of it, with defaults filled in
// and limits applied. Source of defaults and rules: Patroni 4.1's dynamic configuration.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/member.h"

namespace pgherd {

enum class SynchronousMode { off, on, quorum };

struct SlotSpec {
    bool logical = false;
    std::string database;
    std::string plugin;
};

struct StandbyClusterSpec {
    std::string host;  // may be a comma separated list
    std::uint16_t port = 5432;
    std::string primary_slot_name;
    std::string restore_command;
    std::string archive_cleanup_command;
    std::string recovery_min_apply_delay;
    std::vector<std::string> create_replica_methods;
};

struct DynamicConfig {
    Duration ttl = std::chrono::seconds(30);
    Duration loop_wait = std::chrono::seconds(10);
    Duration retry_timeout = std::chrono::seconds(10);
    std::int64_t maximum_lag_on_failover = 1048576;  // bytes; negative = unlimited
    std::int64_t maximum_lag_on_syncnode = -1;       // bytes; negative = off
    int max_timelines_history = 0;                   // 0 = unlimited
    bool check_timeline = false;
    Duration primary_start_timeout = std::chrono::seconds(300);  // 0 = fail over at once after a crash
    Duration primary_stop_timeout = {};                          // 0 = off
    SynchronousMode synchronous_mode = SynchronousMode::off;
    bool synchronous_mode_strict = false;
    int synchronous_node_count = 1;
    bool failsafe_mode = false;
    Duration member_slots_ttl = std::chrono::minutes(30);
    bool pause = false;
    bool use_pg_rewind = true;  // pgherd's default; Patroni's is false
    bool use_slots = true;
    std::map<std::string, std::string> parameters;  // postgresql.parameters as postgresql.conf text values
    std::vector<std::string> pg_hba;                // empty = the rendered default
    std::vector<std::string> pg_ident;
    std::map<std::string, std::string> recovery_conf;
    std::map<std::string, SlotSpec> slots;
    std::vector<std::map<std::string, std::string>> ignore_slots;
    std::optional<StandbyClusterSpec> standby_cluster;
    JsonObject document;  // the whole document as stored
};

}  // namespace pgherd
