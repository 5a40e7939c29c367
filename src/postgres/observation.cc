#include "postgres/observation.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::postgres {

namespace {

std::string text_of(const Json& object, std::string_view key) {
    const Json* value = object.is_object() ? object.get_object().if_contains(key) : nullptr;
    if (!value || value->is_null()) return {};
    if (value->is_string()) return std::string(value->get_string());
    return boost::json::serialize(*value);
}

bool flag_of(const Json& object, std::string_view key) {
    return text_of(object, key) == "true";
}

std::int64_t number_of(const Json& object, std::string_view key) {
    return parse_int(text_of(object, key)).value_or(0);
}

Lsn lsn_of(const Json& object, std::string_view key) {
    return parse_lsn(text_of(object, key)).value_or(Lsn{});
}

std::optional<Lsn> optional_lsn(const Json& object, std::string_view key) {
    const auto lsn = parse_lsn(text_of(object, key));
    return lsn ? std::optional(*lsn) : std::nullopt;
}

std::optional<WallTime> time_of(const Json& object, std::string_view key) {
    const Json* value = object.get_object().if_contains(key);
    if (!value || !value->is_number()) return std::nullopt;
    return WallTime(
        std::chrono::microseconds(static_cast<std::int64_t>(value->to_number<double>() * 1e6 + 0.5)));
}

template <class Each>
void for_each(const Json& object, std::string_view key, Each each) {
    const Json* value = object.get_object().if_contains(key);
    if (!value || !value->is_array()) return;
    for (const auto& element : value->get_array()) each(element);
}

std::map<std::string, std::string> map_of(const Json& object, std::string_view key) {
    std::map<std::string, std::string> result;
    const Json* value = object.get_object().if_contains(key);
    if (value && value->is_object())
        for (const auto& [name, unused] : value->get_object())
            result[std::string(name)] = text_of(*value, name);
    return result;
}

ReplicationRow replication_row(const Json& row) {
    return {.usename = text_of(row, "usename"),
            .application_name = text_of(row, "application_name"),
            .client_addr = text_of(row, "client_addr"),
            .state = text_of(row, "state"),
            .sync_state = text_of(row, "sync_state"),
            .sync_priority = static_cast<int>(number_of(row, "sync_priority")),
            .write_lsn = lsn_of(row, "write_lsn"),
            .flush_lsn = lsn_of(row, "flush_lsn"),
            .replay_lsn = lsn_of(row, "replay_lsn")};
}

SlotState slot_state(const Json& row) {
    return {.name = text_of(row, "slot_name"),
            .logical = text_of(row, "slot_type") == "logical",
            .database = text_of(row, "database"),
            .plugin = text_of(row, "plugin"),
            .active = flag_of(row, "active"),
            .failover = flag_of(row, "failover"),
            .restart_lsn = optional_lsn(row, "restart_lsn"),
            .confirmed_flush_lsn = optional_lsn(row, "confirmed_flush_lsn"),
            .lost = text_of(row, "wal_status") == "lost"};
}

void read_standby(const Json& document, PostgresState& state) {
    state.received = lsn_of(document, "received");
    state.replayed = lsn_of(document, "replayed");
    state.position = std::max(state.received, state.replayed);
    state.replayed_timestamp = time_of(document, "replayed_at");
    state.replay_paused = flag_of(document, "paused");
    const Json* receiver = document.get_object().if_contains("receiver");
    if (!receiver || !receiver->is_object()) return;
    state.receiver =
        ReceiverState{.streaming = text_of(*receiver, "status") == "streaming",
                      .sender_host = text_of(*receiver, "sender_host"),
                      .sender_port = static_cast<std::uint16_t>(number_of(*receiver, "sender_port")),
                      .timeline = {static_cast<std::uint32_t>(number_of(*receiver, "received_tli"))},
                      .latest_end = lsn_of(*receiver, "latest_end_lsn")};
    if (state.receiver->streaming) state.timeline = state.receiver->timeline;
}

void read_primary(const Json& document, PostgresState& state) {
    state.position = lsn_of(document, "flushed");
    state.flush_awaited = flag_of(document, "flush_awaited");
    const std::string file =
        text_of(document, "wal_file");  // timeline, log and segment, eight hexadecimal digits each
    state.timeline = {static_cast<std::uint32_t>(std::strtoul(file.substr(0, 8).c_str(), nullptr, 16))};
}

}  // namespace

std::string_view observation_query() {
    return R"(SELECT json_build_object(
 'version', current_setting('server_version_num')::int,
 'in_recovery', r.standby,
 'started', extract(epoch FROM pg_postmaster_start_time()),
 'system_id', (SELECT system_identifier::text FROM pg_control_system()),
 'flushed', CASE WHEN NOT r.standby THEN pg_current_wal_flush_lsn() END,
 'flush_awaited', NOT r.standby AND EXISTS (SELECT FROM pg_stat_activity WHERE lower(wait_event) IN
  ('walsync', 'walwrite', 'walinitsync', 'walinitwrite')),
 'wal_file', CASE WHEN NOT r.standby THEN pg_walfile_name(pg_current_wal_insert_lsn()) END,
 'received', CASE WHEN r.standby THEN pg_last_wal_receive_lsn() END,
 'replayed', CASE WHEN r.standby THEN pg_last_wal_replay_lsn() END,
 'replayed_at', CASE WHEN r.standby THEN extract(epoch FROM pg_last_xact_replay_timestamp()) END,
 'paused', CASE WHEN r.standby THEN pg_is_wal_replay_paused() END,
 'receiver', CASE WHEN r.standby THEN (SELECT to_json(w) FROM pg_stat_wal_receiver w) END,
 'replication', (SELECT json_agg(s) FROM pg_stat_replication s WHERE s.application_name <> 'pgherd'),
 'slots', (SELECT json_agg(s) FROM pg_replication_slots s),
 'synchronous_standby_names', current_setting('synchronous_standby_names'),
 'primary_conninfo', current_setting('primary_conninfo'),
 'primary_slot_name', current_setting('primary_slot_name'),
 'restore_command', current_setting('restore_command'),
 'pending', (SELECT json_object_agg(name, current_setting(name)) FROM pg_settings WHERE pending_restart),
 'settings', (SELECT json_object_agg(name, current_setting(name)) FROM pg_settings WHERE name IN (
  'max_connections','max_wal_senders','max_replication_slots','max_worker_processes','max_prepared_transactions','max_locks_per_transaction',
  'wal_level','track_commit_timestamp','wal_log_hints','hot_standby','listen_addresses','port','cluster_name')))
 FROM (SELECT pg_is_in_recovery() AS standby) r)";
}

Result<ServerFacts> read_observation(std::string_view text, PostgresState& state) {
    boost::system::error_code error;
    const Json document = boost::json::parse({text.data(), text.size()}, error);
    if (error || !document.is_object())
        return fail(fmt::format("cannot understand what PostgreSQL says of itself: {}", error.message()));
    state.in_recovery = flag_of(document, "in_recovery");
    state.server_version = static_cast<int>(number_of(document, "version"));
    if (const auto id = parse_uint(text_of(document, "system_id"))) state.system_id = SystemId(*id);
    state.postmaster_start_time = time_of(document, "started");
    if (*state.in_recovery)
        read_standby(document, state);
    else
        read_primary(document, state);
    for_each(document, "replication",
             [&](const Json& row) { state.replication.push_back(replication_row(row)); });
    for_each(document, "slots", [&](const Json& row) { state.slots.push_back(slot_state(row)); });
    state.synchronous_standby_names = text_of(document, "synchronous_standby_names");
    state.primary_conninfo = text_of(document, "primary_conninfo");
    ServerFacts facts{.primary_slot_name = text_of(document, "primary_slot_name"),
                      .restore_command = text_of(document, "restore_command"),
                      .pending = map_of(document, "pending"),
                      .settings = map_of(document, "settings")};
    state.in_archive_recovery = *state.in_recovery && !state.streaming() && !facts.restore_command.empty();
    return facts;
}

}  // namespace pgherd::postgres
