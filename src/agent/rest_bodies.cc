#include "agent/rest_bodies.h"

#include <algorithm>

#include <boost/json/array.hpp>

#include "codec/json.h"
#include "codec/records.h"

namespace pgherd::agent {
namespace {

Json number(Lsn lsn) {
    return lsn.value;
}
Json text(std::string_view value) {
    return Json(value);
}

JsonObject xlog(const PostgresState& pg) {
    if (!*pg.in_recovery) return {{"location", number(pg.position)}};
    Json at = nullptr;
    if (pg.replayed_timestamp) at = to_iso_with_blank(*pg.replayed_timestamp);
    return {{"received_location", number(pg.received)},
            {"replayed_location", number(pg.replayed)},
            {"replayed_timestamp", at},
            {"paused", pg.replay_paused}};
}

boost::json::array replication(const PostgresState& pg) {
    boost::json::array rows;
    for (const ReplicationRow& row : pg.replication)
        rows.push_back(
            JsonObject{{"usename", row.usename},
                       {"application_name", row.application_name},
                       {"client_addr", row.client_addr.empty() ? Json(nullptr) : Json(row.client_addr)},
                       {"state", row.state},
                       {"sync_state", row.sync_state},
                       {"sync_priority", row.sync_priority}});
    return rows;
}

// What the server itself says; nothing of it when it does not answer.
void add_server(JsonObject& body, const AgentState& state) {
    const PostgresState& pg = state.seen.pg;
    if (pg.postmaster_start_time)
        body["postmaster_start_time"] = to_iso_with_blank(*pg.postmaster_start_time);
    body["server_version"] = pg.server_version;
    body["xlog"] = xlog(pg);
    if (is_sync_standby(state, false)) body["sync_standby"] = true;
    if (is_sync_standby(state, true)) body["quorum_standby"] = true;
    if (pg.timeline.known()) body["timeline"] = pg.timeline.value;
    if (!state.published.replication_state.empty())
        body["replication_state"] = state.published.replication_state;
    if (!pg.replication.empty()) body["replication"] = replication(pg);
}

JsonObject as_json(const ScheduledRestart& restart) {
    JsonObject body{{"schedule", to_iso(restart.at)}};
    if (restart.role) body["role"] = text(to_string(*restart.role));
    if (!restart.postgres_version.empty()) body["postgres_version"] = restart.postgres_version;
    if (restart.timeout)
        body["timeout"] = std::chrono::duration_cast<std::chrono::seconds>(*restart.timeout).count();
    if (restart.restart_pending) body["restart_pending"] = true;
    return body;
}

JsonObject as_json(const std::map<std::string, PendingRestartReason>& reasons) {
    JsonObject body;
    for (const auto& [parameter, reason] : reasons)
        body[parameter] = JsonObject{{"old_value", reason.old_value}, {"new_value", reason.new_value}};
    return body;
}

void add_cluster_state(JsonObject& body, const AgentState& state) {
    if (state.paused()) body["pause"] = true;
    if (!state.seen.cluster || state.seen.cluster->unlocked()) body["cluster_unlocked"] = true;
    if (state.failsafe_active || state.bound_in_failsafe()) body["failsafe_mode_is_active"] = true;
    if (state.unsure_in_failsafe() && !state.leads()) body["failsafe_mode_unknown"] = true;
    body["dcs_last_seen"] = epoch_seconds(state.store_last_seen);
}

void add_agent(JsonObject& body, const AgentState& state) {
    if (!state.config.tags.all.empty()) body["tags"] = state.config.tags.all;
    if (auto id = system_id(state)) body["database_system_identifier"] = std::to_string(id->value());
    if (state.published.pending_restart) {
        body["pending_restart"] = true;
        body["pending_restart_reason"] = as_json(state.published.pending_restart_reason);
    }
    if (state.scheduled_restart) body["scheduled_restart"] = as_json(*state.scheduled_restart);
    if (!state.seen.watchdog_usable) body["watchdog_failed"] = true;
    if (state.decision.needs_operator) body["needs_operator"] = state.decision.text;
    body["patroni"] = JsonObject{{"version", text(kPatroniVersion)},
                                 {"scope", state.config.scope},
                                 {"name", state.config.name.text()}};
}

// --- GET /cluster
// ------------------------------------------------------------------------------------------------------

std::string_view cluster_role(const AgentState& state, const ClusterView& view, const Member& member) {
    if (view.led_by(member.name)) return state.standby_cluster() ? "standby_leader" : "leader";
    if (state.seen.config.synchronous_mode != SynchronousMode::off && view.sync.contains(member.name))
        return state.seen.config.synchronous_mode == SynchronousMode::quorum ? "quorum_standby"
                                                                             : "sync_standby";
    return "replica";
}

void add_position(JsonObject& body, std::string_view prefix, std::optional<Lsn> position,
                  std::optional<Lsn> leader) {
    auto key = [&](std::string_view name) { return std::string(prefix).append(name); };
    body[key("lsn")] = position ? to_string(*position) : std::string("unknown");
    body[key("lag")] = position && leader ? Json(bytes_between(*position, *leader)) : Json("unknown");
}

JsonObject cluster_member(const AgentState& state, const ClusterView& view, const Member& member) {
    bool leads = view.led_by(member.name);
    bool shows_replication = !member.replication_state.empty() && !(leads && !state.standby_cluster());
    JsonObject body{{"name", member.name.text()},
                    {"role", text(cluster_role(state, view, member))},
                    {"state", text(shows_replication ? member.replication_state : to_string(member.state))},
                    {"api_url", member.api_url}};
    if (auto host = member.host(); !host.empty()) {
        body["host"] = host;
        body["port"] = member.port();
    }
    if (member.timeline) body["timeline"] = member.timeline->value;
    if (member.pending_restart) {
        body["pending_restart"] = true;
        body["pending_restart_reason"] = as_json(member.pending_restart_reason);
    }
    if (member.scheduled_restart) body["scheduled_restart"] = as_json(*member.scheduled_restart);
    if (!member.tags.all.empty()) body["tags"] = member.tags.all;
    if (leads) return body;
    add_position(body, "receive_", member.receive_lsn, view.status.optime);
    add_position(body, "replay_", member.replay_lsn, view.status.optime);
    add_position(body, "", member.xlog_location, view.status.optime);
    return body;
}

}  // namespace

bool answers(const AgentState& state) {
    return state.seen.pg.running() && state.seen.pg.in_recovery.has_value();
}

std::string_view state_text(const AgentState& state) {
    if (state.published.state == MemberState::running && !answers(state)) return "unknown";
    return to_string(state.published.state);
}

bool is_sync_standby(const AgentState& state, bool quorum) {
    auto wanted = quorum ? SynchronousMode::quorum : SynchronousMode::on;
    return state.seen.pg.standby() && state.seen.config.synchronous_mode == wanted && state.seen.cluster &&
           state.seen.cluster->sync.contains(state.config.name);
}

std::optional<SystemId> system_id(const AgentState& state) {
    if (state.seen.pg.system_id) return state.seen.pg.system_id;
    if (state.seen.pg.control) return state.seen.pg.control->system_id;
    return state.seen.cluster ? state.seen.cluster->initialize : std::nullopt;
}

PeerIdentity identity(const AgentState& state) {
    return {state.config.name, state.config.scope, system_id(state).value_or(SystemId())};
}

std::int64_t epoch_seconds(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

JsonObject patroni_body(const AgentState& state) {
    JsonObject body{{"state", text(state_text(state))}, {"role", text(to_string(state.published.role))}};
    if (answers(state)) add_server(body, state);
    add_cluster_state(body, state);
    add_agent(body, state);
    return body;
}

JsonObject cluster_body(const AgentState& state) {
    JsonObject body;
    boost::json::array members;
    const auto& view = state.seen.cluster;
    if (view)
        for (const auto& [name, member] : view->members)
            members.push_back(cluster_member(state, *view, member));
    body["members"] = std::move(members);
    if (state.paused()) body["pause"] = true;
    if (view && view->failover && view->failover->scheduled_at) {
        JsonObject planned{{"at", to_iso(*view->failover->scheduled_at)}};
        if (!view->failover->leader.empty()) planned["from"] = view->failover->leader.text();
        if (!view->failover->candidate.empty()) planned["to"] = view->failover->candidate.text();
        body["scheduled_switchover"] = std::move(planned);
    }
    body["scope"] = state.config.scope;
    return body;
}

std::optional<JsonObject> config_body(const AgentState& state) {
    if (!state.seen.cluster || !state.seen.cluster->config) return std::nullopt;
    return state.seen.cluster->config->document;
}

std::optional<JsonObject> failsafe_body(const AgentState& state) {
    if (!state.seen.config.failsafe_mode || !state.seen.cluster) return std::nullopt;
    JsonObject body;
    for (const auto& [name, url] : state.seen.cluster->failsafe) body[name.text()] = url;
    return body;
}

}  // namespace pgherd::agent
