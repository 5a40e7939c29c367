// The agent's file in the order in which a person would look for things: who, where the state lives, how
// others reach it, Postgres, and what the very first member does.
#include <fmt/format.h>

#include "base/text.h"
#include "codec/agent_config.h"
#include "workload/render.h"

namespace pgherd {
namespace {

void put(JsonObject& object, const char* key, const std::string& text) {
    if (!text.empty()) object[key] = text;
}

void put_store(JsonObject& document, const SqliteStore& store) {
    document["sqlite"] = JsonObject{{"path", store.path}};
}

void put_store(JsonObject& document, const EtcdStore& store) {
    JsonObject etcd;
    boost::json::array hosts;
    for (const Endpoint& endpoint : store.endpoints) hosts.emplace_back(to_string(endpoint));
    etcd["hosts"] = std::move(hosts);
    if (store.https) etcd["protocol"] = "https";
    put(etcd, "cacert", store.tls.ca_file);
    put(etcd, "cert", store.tls.cert_file);
    put(etcd, "key", store.tls.key_file);
    put(etcd, "key_password", store.tls.key_password);
    put(etcd, "username", store.username);
    put(etcd, "password", store.password);
    document["etcd3"] = std::move(etcd);
}

void put_store(JsonObject& document, const KubernetesStore&) {
    document["kubernetes"] = JsonObject{};
}

void put_store(JsonObject&, const StoreOfEnvironment&) {}

JsonObject login(const std::string& name, const Password& password) {
    JsonObject object{{"username", name}};
    put(object, "password", password.text);
    put(object, "password_file", password.file);
    return object;
}

JsonObject authentication(const ClusterSpec& cluster) {
    JsonObject users;
    users["superuser"] = login(cluster.superuser, cluster.superuser_password);
    users["replication"] = login("replicator", cluster.replication_password);
    if (!cluster.rewind_password.empty()) users["rewind"] = login("rewind", cluster.rewind_password);
    return users;
}

// As pgherd's own lines (postgres/rendering.cc), but for the last one.
boost::json::array hba_lines(const ClusterSpec& cluster) {
    boost::json::array lines;
    lines.emplace_back(fmt::format("local all {} peer map=pgherd", quote_identifier(cluster.superuser)));
    lines.emplace_back("local replication replicator scram-sha-256");
    lines.emplace_back("host replication replicator all scram-sha-256");
    lines.emplace_back("local all all scram-sha-256");
    lines.emplace_back(fmt::format("host all all all {}", cluster.client_authentication));
    return lines;
}

std::string listen_address(const MemberSpec& member, std::uint16_t port) {
    return to_string(Endpoint{member.listen_host.empty() ? member.host : member.listen_host, port});
}

JsonObject postgresql(const ClusterSpec& cluster, const MemberSpec& member) {
    JsonObject object{{"listen", listen_address(member, member.postgres_port)},
                      {"connect_address", to_string(Endpoint{member.host, member.postgres_port})},
                      {"data_dir", member.data_dir}};
    put(object, "bin_dir", member.bin_dir);
    put(object, "run_as", member.run_as);
    object["authentication"] = authentication(cluster);
    if (!cluster.client_authentication.empty()) {
        object["pg_hba"] = hba_lines(cluster);
        object["use_unix_socket"] = true;
    }
    if (!member.socket_dir.empty())
        object["parameters"] = JsonObject{{"unix_socket_directories", member.socket_dir}};
    return object;
}

// "--data-checksums" is written "data-checksums" in the file, "--encoding=UTF8" "encoding: UTF8".
boost::json::array initdb_options(const std::vector<std::string>& arguments) {
    boost::json::array options;
    for (std::string_view argument : arguments) {
        if (argument.starts_with("--")) argument.remove_prefix(2);
        auto equals = argument.find('=');
        if (equals == std::string_view::npos)
            options.emplace_back(argument);
        else
            options.push_back(JsonObject{{argument.substr(0, equals), argument.substr(equals + 1)}});
    }
    return options;
}

}  // namespace

std::string render_agent_yaml(const ClusterSpec& cluster, const MemberSpec& member) {
    JsonObject document{
        {"scope", cluster.scope}, {"namespace", cluster.namespace_}, {"name", member.name.text()}};
    std::visit([&](const auto& store) { put_store(document, store); }, cluster.store);
    JsonObject restapi{{"listen", listen_address(member, member.rest_port)},
                       {"connect_address", to_string(Endpoint{member.host, member.rest_port})}};
    if (!cluster.rest_username.empty())
        restapi["authentication"] = login(cluster.rest_username, cluster.rest_password);
    document["restapi"] = std::move(restapi);
    if (member.clone_from) document["tags"] = JsonObject{{"clonefrom", true}};
    if (!member.log_dir.empty()) document["log"] = JsonObject{{"dir", member.log_dir}};
    document["postgresql"] = postgresql(cluster, member);
    JsonObject bootstrap{{"dcs", cluster.dynamic_config}};
    if (!cluster.initdb.empty()) bootstrap["initdb"] = initdb_options(cluster.initdb);
    put(bootstrap, "post_bootstrap", cluster.post_bootstrap);
    document["bootstrap"] = std::move(bootstrap);
    return to_yaml(document);
}

}  // namespace pgherd
