// The postgresql section.
#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/agent_config_sections.h"

namespace pgherd {
namespace {

constexpr std::uint16_t kPostgresPort = 5432;

// "host[,host…]:port"; the port belongs to all of them.
void read_listen(const Section& postgresql, PostgresConfig& config) {
    const Json* value = postgresql.find("listen");
    if (!value) return;
    if (!value->is_string())
        return postgresql.mistake("listen", fmt::format("expected host:port, got {}", describe(*value)));
    config.listen_hosts.clear();
    for (const auto& part : split(value->get_string(), ',')) {
        auto endpoint = parse_endpoint(part, kPostgresPort);
        if (!endpoint)
            return postgresql.mistake("listen",
                                      fmt::format("expected host:port, but {}", endpoint.error().message));
        config.listen_hosts.push_back(endpoint->host);
        config.port = endpoint->port;
    }
}

void read_addresses(const Section& postgresql, PostgresConfig& config) {
    read_listen(postgresql, config);
    postgresql.read("connect_address", config.connect_address, kPostgresPort);
    postgresql.read("proxy_address", config.proxy_address, kPostgresPort);
    if (postgresql.has("connect_address") || config.listen_hosts.empty()) return;
    if (config.listen_hosts.size() == 1 && is_concrete_host(config.listen_hosts[0]))
        config.connect_address = {config.listen_hosts[0], config.port};
    else
        postgresql.mistake("connect_address",
                           fmt::format("missing; \"listen\" ({}) does not tell where others connect to",
                                       fmt::join(config.listen_hosts, ",")));
}

void read_directories(const Section& postgresql, const MemberName& name, PostgresConfig& config) {
    postgresql.read("data_dir", config.data_dir);
    if (config.data_dir.empty())
        return postgresql.mistake("data_dir", "missing; expected the path of the data directory");
    while (config.data_dir.size() > 1 && config.data_dir.back() == '/') config.data_dir.pop_back();
    config.config_dir = config.data_dir;
    postgresql.read("config_dir", config.config_dir);
    postgresql.read("bin_dir", config.bin_dir);
    postgresql.read("bin_name", config.bin_name);
    config.pgpass =
        (std::filesystem::path(config.data_dir).parent_path() / (".pgpass_" + name.text())).string();
    postgresql.read("pgpass", config.pgpass);
}

void read_credentials(const Section& section, Credentials& credentials) {
    section.read("username", credentials.username);
    read_password(section, credentials.password, credentials.password_file);
    for (const auto& [key, value] : section.object()) {
        std::string_view option = key;
        if (option == "username" || option.starts_with("password") || value.is_null()) continue;
        section.read(option, credentials.options[std::string(option)]);
    }
}

void read_replica_methods(const Section& postgresql, PostgresConfig& config) {
    std::vector<std::string> names;
    postgresql.read_list_or_text(
        postgresql.has("create_replica_methods") ? "create_replica_methods" : "create_replica_method", names);
    for (auto& name : names) {
        if (name == "basebackup") {
            config.create_replica_methods.push_back({.name = name});
            continue;
        }
        if (!postgresql.has(name)) {
            postgresql.mistake(
                name,
                "missing; \"create_replica_methods\" names it, so it needs a section with a \"command\"");
            continue;
        }
        config.create_replica_methods.push_back(read_method(postgresql.section(name), name));
    }
    postgresql.read_arguments("basebackup", config.basebackup);
    postgresql.read_arguments("rewind", config.rewind_options);
}

void read_callbacks(const Section& postgresql, PostgresConfig& config) {
    static constexpr std::array<std::string_view, 5> events{"on_start", "on_stop", "on_restart", "on_reload",
                                                            "on_role_change"};
    Section callbacks = postgresql.section("callbacks");
    for (auto event : events)
        if (callbacks.has(event)) callbacks.read(event, config.callbacks[std::string(event)]);
}

void read_server_settings(const Section& postgresql, PostgresConfig& config) {
    postgresql.read("custom_conf", config.custom_conf);
    postgresql.read("parameters", config.parameters);
    postgresql.read("pg_hba", config.pg_hba);
    postgresql.read("pg_ident", config.pg_ident);
    postgresql.read("recovery_conf", config.recovery_conf);
    if (auto found = config.parameters.find("unix_socket_directories"); found != config.parameters.end())
        config.socket_dir = std::string(trim(split(found->second, ',').front()));
}

}  // namespace

ReplicaMethod read_method(const Section& section, std::string name) {
    ReplicaMethod method{.name = std::move(name)};
    section.read("command", method.command);
    if (method.command.empty()) section.mistake("command", "missing; expected the command to run");
    section.read("keep_data", method.keep_data);
    section.read("no_params", method.no_params);
    section.read("no_leader", method.no_leader);
    // Some of Patroni's spellings, which are no options of the command either.
    constexpr std::array<std::string_view, 7> own{"command",      "keep_data", "no_params",
                                                  "no_leader",    "no_master", "keep_existing_recovery_conf",
                                                  "recovery_conf"};
    section.read("no_master", method.no_leader);
    for (const auto& [key, value] : section.object()) {
        std::string_view option = key;
        if (std::ranges::find(own, option) == own.end() && !value.is_null())
            section.read(option, method.options[std::string(option)]);
    }
    return method;
}

void read_postgres(const Section& postgresql, const MemberName& name, PostgresConfig& config) {
    read_addresses(postgresql, config);
    read_directories(postgresql, name, config);
    Section authentication = postgresql.section("authentication");
    read_credentials(authentication.section("superuser"), config.superuser);
    read_credentials(authentication.section("replication"), config.replication);
    read_credentials(authentication.section("rewind"), config.rewind);
    postgresql.read("use_unix_socket", config.use_unix_socket);
    read_callbacks(postgresql, config);
    read_replica_methods(postgresql, config);
    postgresql.read("remove_data_directory_on_rewind_failure",
                    config.remove_data_directory_on_rewind_failure);
    postgresql.read("remove_data_directory_on_diverged_timelines",
                    config.remove_data_directory_on_diverged_timelines);
    postgresql.read("pg_ctl_timeout", config.pg_ctl_timeout);
    postgresql.read("before_stop", config.before_stop);
    postgresql.read("pre_promote", config.pre_promote);
    read_server_settings(postgresql, config);
    postgresql.read("run_as", config.run_as);
}

}  // namespace pgherd
