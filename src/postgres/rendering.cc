#include "postgres/rendering.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.h"
#include "postgres/connection.h"

namespace pgherd::postgres {

namespace {

struct Controlled {
    std::string_view name;
    std::string_view initial;
    std::int64_t minimum;  // -1: no number
    bool limits_standby;
};
constexpr std::array<Controlled, 10> kControlled{{
    {"max_connections", "100", 25, true},
    {"max_wal_senders", "10", 3, true},
    {"max_replication_slots", "10", 4, false},
    {"max_worker_processes", "8", 2, true},
    {"max_prepared_transactions", "0", 0, true},
    {"max_locks_per_transaction", "64", 32, true},
    {"wal_level", "replica", -1, false},
    {"track_commit_timestamp", "off", -1, false},
    {"wal_log_hints", "on", -1, false},
    {"hot_standby", "on", -1, false},
}};
// From the dynamic configuration only as well, but changeable while the server runs.
constexpr std::string_view kSharedFileParameter = "wal_keep_size";
// Set by pgherd alone.
constexpr std::array<std::string_view, 9> kOwned{"listen_addresses", "port",
                                                 "cluster_name",     "synchronous_standby_names",
                                                 "primary_conninfo", "primary_slot_name",
                                                 "hba_file",         "ident_file",
                                                 "data_directory"};
constexpr std::array<std::string_view, 9> kRecovery{
    "primary_conninfo",         "primary_slot_name",    "recovery_target",
    "recovery_target_lsn",      "recovery_target_name", "recovery_target_time",
    "recovery_target_timeline", "recovery_target_xid",  "promote_trigger_file"};

bool controlled(std::string_view name) {
    return std::ranges::any_of(kControlled, [&](const Controlled& one) { return one.name == name; });
}

template <class List>
bool contains(const List& list, std::string_view name) {
    return std::ranges::find(list, name) != std::end(list);
}

std::string value_of(const Controlled& rule, const std::map<std::string, std::string>& dynamic) {
    const auto found = dynamic.find(std::string(rule.name));
    std::string value = found == dynamic.end() ? std::string(rule.initial) : found->second;
    if (rule.name == "wal_level" && value != "replica" && value != "logical") return "replica";
    if (rule.name == "hot_standby") return "on";
    if (rule.minimum < 0) return value;
    const auto number = parse_int(value);
    if (!number) return std::string(rule.initial);
    return std::to_string(std::max(*number, rule.minimum));
}

Parameters lower(const std::map<std::string, std::string>& parameters) {
    Parameters result;
    for (const auto& [name, value] : parameters) result[to_lower(name)] = value;
    return result;
}

// A value in postgresql.conf: there a backslash escapes even between quotes that SQL would leave alone.
std::string conf_literal(std::string_view value) {
    std::string text = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') text += c;
        if (c == '\n') {
            text += "\\n";
            continue;
        }
        text += c;
    }
    return text + "'";
}

void append(std::string& text, const Parameters& parameters) {
    for (const auto& [name, value] : parameters) text += fmt::format("{} = {}\n", name, conf_literal(value));
}

std::string pgpass_field(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == ':' || c == '\\') text += '\\';
        text += c;
    }
    return text;
}

const std::vector<std::string>& hba_lines(const RenderInput& input) {
    return input.agent.postgres.pg_hba.empty() ? input.instance.dynamic.pg_hba : input.agent.postgres.pg_hba;
}

constexpr std::string_view kHeader =
    "# Written by pgherd, changes here are lost. Change the dynamic configuration or the agent's file "
    "instead.\n";

}  // namespace

Parameters wanted_command_line(const RenderInput& input) {
    Parameters result;
    const Parameters dynamic = lower(input.instance.dynamic.parameters);
    for (const auto& rule : kControlled) result[std::string(rule.name)] = value_of(rule, dynamic);
    result["listen_addresses"] = join(input.agent.postgres.listen_hosts, ",");
    result["port"] = std::to_string(input.agent.postgres.port);
    result["cluster_name"] = input.agent.scope;
    return result;
}

Parameters command_line(const RenderInput& input) {
    Parameters result = wanted_command_line(input);
    if (!input.standby || !input.control) return result;
    for (const auto& rule : kControlled) {
        const auto limit = input.control->limits.find(std::string(rule.name));
        if (!rule.limits_standby || limit == input.control->limits.end()) continue;
        auto& value = result[std::string(rule.name)];
        const auto wanted = parse_int(value);
        const auto least = parse_int(limit->second);
        if (wanted && least && *wanted < *least) value = limit->second;
    }
    return result;
}

Parameters file_parameters(const RenderInput& input) {
    const PostgresConfig& postgres = input.agent.postgres;
    // Defaults that let a member notice a lost peer in seconds, and begin crash recovery with one flush of
    // the file system instead of one of every file (PostgreSQL 14). Users' settings win.
    Parameters result{{"wal_retrieve_retry_interval", "1s"},
                      {"wal_receiver_timeout", "10s"},
                      {"wal_sender_timeout", "10s"},
                      {"recovery_init_sync_method", "syncfs"},
                      {"wal_keep_size", "128MB"}};
    const auto take = [&](const Parameters& parameters, bool dynamic) {
        for (const auto& [name, value] : parameters)
            if (!controlled(name) && !contains(kOwned, name) && (dynamic || name != kSharedFileParameter))
                result[name] = value;
    };
    take(lower(input.instance.dynamic.parameters), true);
    take(lower(postgres.parameters), false);
    if (const auto size = parse_bytes(result["wal_keep_size"]);
        size && *size > 1024 && *size < std::int64_t{16} << 20)
        result["wal_keep_size"] = "16MB";
    if (!input.socket_dir.empty() && !result.contains("unix_socket_directories"))
        result["unix_socket_directories"] = input.socket_dir;
    if (!postgres.config_dir.empty() && postgres.config_dir != postgres.data_dir) {
        result["hba_file"] = postgres.config_dir + "/pg_hba.conf";
        result["ident_file"] = postgres.config_dir + "/pg_ident.conf";
    }
    result["synchronous_standby_names"] = input.instance.synchronous_standby_names;
    return result;
}

Parameters recovery_parameters(const RenderInput& input) {
    Parameters result = lower(input.instance.dynamic.recovery_conf);
    if (const auto& remote = input.instance.dynamic.standby_cluster) {
        if (!remote->restore_command.empty()) result["restore_command"] = remote->restore_command;
        if (!remote->archive_cleanup_command.empty())
            result["archive_cleanup_command"] = remote->archive_cleanup_command;
        if (!remote->recovery_min_apply_delay.empty())
            result["recovery_min_apply_delay"] = remote->recovery_min_apply_delay;
    }
    for (const auto& [name, value] : lower(input.agent.postgres.recovery_conf)) result[name] = value;
    for (const auto name : kRecovery) result.erase(std::string(name));
    result.erase("standby_mode");
    result["recovery_target_timeline"] = "latest";
    if (input.standby && !input.upstream.none()) {
        result["primary_conninfo"] = conninfo_text(replication_conninfo(input.agent, input.upstream));
        result["primary_slot_name"] = input.upstream.slot;
    }
    return result;
}

std::string postgresql_conf(const RenderInput& input) {
    std::string text(kHeader);
    const std::string& custom = input.agent.postgres.custom_conf;
    text += fmt::format("include {}\n\n", conf_literal(custom.empty() ? "postgresql.base.conf" : custom));
    append(text, file_parameters(input));
    text += "\n# recovery\n";
    append(text, recovery_parameters(input));
    append(text, input.custom_recovery);
    return text;
}

bool default_hba(const RenderInput& input) {
    return hba_lines(input).empty();
}

std::string hba_conf(const RenderInput& input) {
    std::string text(kHeader);
    if (!default_hba(input)) return text + join(hba_lines(input), "\n") + "\n";
    const PostgresConfig& postgres = input.agent.postgres;
    const std::string superuser = quote_identifier(postgres.superuser.username);
    const std::string replication = quote_identifier(postgres.replication.username);
    // Without a password, or with one that may change at any moment, the agent gets in as the user it is.
    const bool as_user = postgres.superuser.password.empty() || !postgres.superuser.password_file.empty();
    text += fmt::format("local all {} {}\n", superuser, as_user ? "peer map=pgherd" : "scram-sha-256");
    text += fmt::format("local replication {} scram-sha-256\n", replication);
    text += fmt::format("host replication {} all scram-sha-256\n", replication);
    text += "local all all scram-sha-256\nhost all all all scram-sha-256\n";
    return text;
}

std::string ident_conf(const RenderInput& input) {
    const auto& lines = input.agent.postgres.pg_ident.empty() ? input.instance.dynamic.pg_ident
                                                              : input.agent.postgres.pg_ident;
    std::string text(kHeader);
    for (const std::string& user : {std::string("root"), input.user})
        text +=
            fmt::format("pgherd {} {}\n", user, quote_identifier(input.agent.postgres.superuser.username));
    for (const auto& line : lines) text += line + "\n";
    return text;
}

std::string password_file_path(const AgentConfig& agent) {
    if (!agent.postgres.pgpass.empty()) return agent.postgres.pgpass;
    const auto parent = std::filesystem::path(agent.postgres.data_dir).parent_path();
    return (parent / (".pgpass_" + agent.name.text())).string();
}

std::string password_file(const AgentConfig& agent) {
    std::string text;
    const PostgresConfig& postgres = agent.postgres;
    for (const Credentials* user : {&postgres.replication, &postgres.rewind, &postgres.superuser})
        if (!user->username.empty() && !user->password.empty())
            text += fmt::format("*:*:*:{}:{}\n", pgpass_field(user->username), pgpass_field(user->password));
    return text;
}

std::map<std::string, std::string> replication_conninfo(const AgentConfig& agent, const Upstream& upstream) {
    const Credentials& user = agent.postgres.replication;
    std::map<std::string, std::string> result = user.options;
    result["host"] = upstream.host;
    // A list of hosts (a standby cluster's source) takes one port for all.
    result["port"] = std::to_string(upstream.port);
    if (upstream.host.find(',') != std::string::npos) result["target_session_attrs"] = "read-write";
    result["user"] = user.username;
    result["passfile"] = password_file_path(agent);
    result["application_name"] = agent.name.text();
    // A dead upstream is noticed within about five seconds, whatever state its host is in.
    result.emplace("connect_timeout", "3");
    result.emplace("keepalives", "1");
    result.emplace("keepalives_idle", "2");
    result.emplace("keepalives_interval", "1");
    result.emplace("keepalives_count", "3");
    result.emplace("tcp_user_timeout", "5000");
    result.emplace("sslmode", "prefer");
    return result;
}

std::string purge_auto_conf(std::string_view text) {
    std::string kept;
    for (const auto& line : split(text, '\n')) {
        const auto name = to_lower(trim(line.substr(0, line.find_first_of("= "))));
        if (!contains(kRecovery, name) && !contains(kOwned, name) && !controlled(name)) kept += line + "\n";
    }
    // split() gives an empty last part for the line end of the file
    if (!kept.empty()) kept.pop_back();
    return kept;
}

}  // namespace pgherd::postgres
