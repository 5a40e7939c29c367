#include "agent/rest_metrics.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/rest_bodies.h"
#include "base/exposition.h"
#include "base/text.h"

namespace pgherd::agent {
namespace {

// "4.1.0" -> "040100"
std::string digits_of_version(std::string_view version) {
    std::string digits;
    for (const std::string& part : split(version, '.')) digits += fmt::format("{:0>2}", part);
    return digits;
}

double seconds(WallTime time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}
double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}
template <class Time>
double seconds(const std::optional<Time>& time) {
    return time ? seconds(*time) : 0.0;
}

void add_server(Exposition& out, const AgentState& state) {
    const PostgresState& pg = state.seen.pg;
    bool up = answers(state);
    bool standby = up && *pg.in_recovery;
    Role role = state.published.role;
    auto position = [](bool known, Lsn lsn) { return known ? lsn.value : 0; };
    out.flag("patroni_postgres_running", "1 if PostgreSQL runs and answers.", up);
    out.family("patroni_postmaster_start_time", "gauge", "Epoch seconds since PostgreSQL was started.");
    out.sample(fmt::format("{:.6f}", up ? seconds(pg.postmaster_start_time) : 0.0));
    out.flag("patroni_primary", "1 if this member is the primary.", role == Role::primary);
    out.counter("patroni_xlog_location", "Position in the WAL of the primary in bytes, 0 on a standby.",
                position(up && !standby, pg.position));
    out.flag("patroni_standby_leader", "1 if this member leads a standby cluster.",
             role == Role::standby_leader);
    out.flag("patroni_replica", "1 if this member is a replica.", role == Role::replica);
    out.flag("patroni_sync_standby", "1 if this member is a synchronous standby.",
             is_sync_standby(state, false));
    out.flag("patroni_quorum_standby", "1 if this member is a quorum standby.", is_sync_standby(state, true));
    out.counter("patroni_xlog_received_location", "Position of the received WAL in bytes, 0 on a primary.",
                position(standby, pg.received));
    out.counter("patroni_xlog_replayed_location", "Position of the replayed WAL in bytes, 0 on a primary.",
                position(standby, pg.replayed));
    out.family("patroni_xlog_replayed_timestamp", "gauge",
               "Epoch seconds of the last replayed commit, 0 if there is none.");
    out.sample(fmt::format("{:.6f}", standby ? seconds(pg.replayed_timestamp) : 0.0));
    out.flag("patroni_xlog_paused", "1 if replay is paused.", standby && pg.replay_paused);
    out.flag("patroni_postgres_streaming", "1 if this member streams from another one.",
             state.published.replication_state == "streaming");
    out.flag("patroni_postgres_in_archive_recovery", "1 if this member restores WAL from an archive.",
             state.published.replication_state == "in archive recovery");
    out.gauge("patroni_postgres_server_version", "Version of PostgreSQL as a number, 0 if it does not run.",
              up ? pg.server_version : 0);
}

void add_cluster(Exposition& out, const AgentState& state) {
    const auto& view = state.seen.cluster;
    bool failsafe = state.seen.config.failsafe_mode;
    out.flag("patroni_cluster_unlocked", "1 if nobody holds the leader lock.", !view || view->unlocked());
    out.flag("patroni_failsafe_mode_is_active",
             "1 if this leader goes on without the store because all members agree.", state.failsafe_active);
    out.flag("patroni_failsafe_mode_enabled", "1 if failsafe mode is configured.", failsafe);
    out.flag("patroni_failsafe_member", "1 if this member is asked in failsafe mode.",
             failsafe && view && view->failsafe.contains(state.config.name));
    out.gauge("patroni_postgres_timeline", "Timeline of this server, 0 if it does not run.",
              answers(state) ? state.seen.pg.timeline.value : 0);
    out.gauge("patroni_dcs_last_seen", "Epoch seconds of the last contact with the store.",
              epoch_seconds(state.store_last_seen));
    out.flag("patroni_pending_restart", "1 if a parameter waits for a restart.",
             state.published.pending_restart);
    out.flag("patroni_is_paused", "1 if automatic failover is paused.", state.paused());
    out.family("patroni_postgres_state", "gauge", "State of the server as a number.");
    std::vector<std::string> values;
    for (int i = 0; i <= int(MemberState::crashed); ++i)
        values.push_back(fmt::format("{}={}", i, to_string(MemberState(i))));
    out.comment("Values: " + join(values, ", "));
    out.sample(int(state.published.state));
    const Tags& tags = state.config.tags;
    out.gauge("patroni_failover_priority", "Priority of this member in a failover, 0 = never.",
              tags.nofailover ? 0 : tags.failover_priority.value_or(1));
}

void add_own(Exposition& out, const AgentState& state) {
    out.flag("pgherd_leader", "1 if this member holds the leader lock and its time has not run out.",
             state.leads());
    out.family("pgherd_lock_remaining_seconds", "gauge",
               "For how long this member may still lead without renewing its lock.");
    out.sample(
        fmt::format("{:.3f}", state.leads() ? seconds(state.seen.lock_valid_until - state.seen.now) : 0.0));
    out.flag("pgherd_store_reachable", "1 if the last contact with the store succeeded.",
             state.seen.store_ok);
    if (!state.rule_counts.empty()) {
        out.family("pgherd_decisions_total", "counter", "How often each rule became the one that decides.");
        for (const auto& [rule, count] : state.rule_counts) out.sample(count, {{"rule", rule}});
    }
    if (!state.operation_took.empty()) {
        out.family("pgherd_operation_duration_seconds", "gauge",
                   "How long the last promotion, rewind, clone, … took.");
        for (const auto& [operation, took] : state.operation_took)
            out.sample(fmt::format("{:.6f}", seconds(took)), {{"operation", operation}});
    }
}

}  // namespace

std::string metrics_text(const AgentState& state) {
    Exposition out({}, {{"scope", state.config.scope}, {"name", state.config.name.text()}});
    out.gauge("patroni_version", "Patroni version that this agent is compatible with, as digits.",
              digits_of_version(kPatroniVersion));
    add_server(out, state);
    add_cluster(out, state);
    add_own(out, state);
    return out.take();
}

}  // namespace pgherd::agent
