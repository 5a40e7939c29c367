// Exactly one section says where the cluster's state lives: sqlite, etcd3 (or etcd, which means version 3
// here as well), kubernetes.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/agent_config_sections.h"

namespace pgherd {
namespace {

constexpr std::uint16_t kEtcdPort = 2379;
constexpr std::string_view kSupported[] = {"sqlite", "etcd3", "etcd", "kubernetes"};
constexpr std::string_view kUnsupported[] = {"consul", "zookeeper", "exhibitor", "raft"};

// "host:port" or "https://host:port".
void add_endpoint(const Section& etcd, std::string_view key, std::string_view text, StoreConfig& store) {
    auto rest = trim(text);
    if (auto scheme = rest.find("://"); scheme != std::string_view::npos) {
        if (rest.substr(0, scheme) == "https")
            store.https = true;
        else if (rest.substr(0, scheme) != "http")
            return etcd.mistake(key, fmt::format("expected http or https, got \"{}\"", rest));
        rest.remove_prefix(scheme + 3);
        if (rest.ends_with('/')) rest.remove_suffix(1);
    }
    auto endpoint = parse_endpoint(rest, kEtcdPort);
    if (!endpoint)
        return etcd.mistake(key, fmt::format("expected host:port, but {}", endpoint.error().message));
    if (std::ranges::find(store.endpoints, *endpoint) == store.endpoints.end())
        store.endpoints.push_back(*endpoint);
}

void read_etcd(const Section& etcd, StoreConfig& store) {
    store.kind = StoreKind::etcd;
    for (auto key : {"srv", "proxy"})
        if (etcd.has(key)) etcd.mistake(key, "not supported; list the servers under \"hosts\"");
    std::string protocol = "http";
    etcd.read_choice("protocol", protocol, {"http", "https"});
    store.https = protocol == "https";

    std::string host, url;
    std::uint16_t port = kEtcdPort;
    std::vector<std::string> hosts;
    etcd.read("host", host);
    etcd.read("url", url);
    etcd.read("port", port);
    etcd.read_list_or_text("hosts", hosts);
    if (!host.empty() && etcd.has("port")) host = to_string(Endpoint{host, port});
    if (!host.empty()) add_endpoint(etcd, "host", host, store);
    if (!url.empty()) add_endpoint(etcd, "url", url, store);
    for (const auto& entry : hosts) add_endpoint(etcd, "hosts", entry, store);
    if (store.endpoints.empty()) etcd.mistake("hosts", "missing; expected a list of host:port");

    etcd.read("cacert", store.tls.ca_file);
    etcd.read("cert", store.tls.cert_file);
    etcd.read("key", store.tls.key_file);
    etcd.read("key_password", store.tls.key_password);
    etcd.read("username", store.username);
    etcd.read("password", store.password);
}

// Port names and numbers that the leader's Endpoints offer; Patroni's default is one nameless 5432.
void read_ports(const Section& kubernetes, std::vector<KubernetesPort>& ports) {
    const Json* list = kubernetes.find("ports");
    if (!list) return;
    if (!list->is_array() || list->get_array().empty())
        return kubernetes.mistake(
            "ports", fmt::format("expected a list of {{name: …, port: …}}, got {}", describe(*list)));
    ports.clear();
    for (const Json& entry : list->get_array()) {
        if (!entry.is_object())
            return kubernetes.mistake("ports",
                                      fmt::format("expected {{name: …, port: …}}, got {}", describe(entry)));
        Mistakes mistakes;
        Section section(entry.get_object(), "", mistakes);
        KubernetesPort port;
        section.read("name", port.name);
        section.read("port", port.port);
        section.read("protocol", port.protocol);
        if (auto status = mistakes.status(); !status)
            return kubernetes.mistake("ports", status.error().message);
        ports.push_back(std::move(port));
    }
}

void read_http_codes(const Section& kubernetes, std::vector<int>& codes) {
    constexpr std::string_view kKey = "retriable_http_codes";
    std::vector<std::string> texts;
    const Json* value = kubernetes.find(kKey);
    if (value && value->is_int64())
        texts.push_back(std::to_string(value->get_int64()));
    else
        kubernetes.read_list_or_text(kKey, texts);
    for (const auto& text : texts) {
        auto code = parse_int(trim(text));
        if (!code || *code < 400 || *code > 599)
            return kubernetes.mistake(
                kKey, fmt::format("expected statuses of HTTP (400 to 599), got \"{}\"", text));
        codes.push_back(int(*code));
    }
}

// What an object of Kubernetes may be called: the cluster's name is a part of such names, and a label's
// value.
bool names_an_object(std::string_view text) {
    auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !text.empty() && text.size() <= 63 && letter(text.front()) && letter(text.back()) &&
           std::ranges::all_of(text, [&](char c) { return letter(c) || c == '-' || c == '.'; });
}

void read_kubernetes(const Section& root, const Section& kubernetes, StoreConfig& store) {
    store.kind = StoreKind::kubernetes;
    KubernetesConfig& config = store.kubernetes;
    kubernetes.read("namespace", config.namespace_);
    kubernetes.read("labels", config.labels);
    kubernetes.read("scope_label", config.scope_label);
    kubernetes.read("role_label", config.role_label);
    kubernetes.read("leader_label_value", config.leader_label_value);
    kubernetes.read("follower_label_value", config.follower_label_value);
    kubernetes.read("standby_leader_label_value", config.standby_leader_label_value);
    kubernetes.read("tmp_role_label", config.tmp_role_label);
    kubernetes.read("bootstrap_labels", config.bootstrap_labels);
    kubernetes.read("use_endpoints", config.use_endpoints);
    kubernetes.read("leases", config.leases);
    kubernetes.read("pod_ip", config.pod_ip);
    read_ports(kubernetes, config.ports);
    kubernetes.read_list_or_text("hosts", config.hosts);
    kubernetes.read("bypass_api_service", config.bypass_api_service);
    read_http_codes(kubernetes, config.retriable_http_codes);
    kubernetes.read("cacert", config.cacert);
    kubernetes.read("kubeconfig", config.kubeconfig);
    kubernetes.read("context", config.context);
    for (auto& host : config.hosts)
        if (host.find("://") == std::string::npos) host.insert(0, "https://");
    std::string scope;
    root.read("scope", scope);
    if (!scope.empty() && !names_an_object(scope))
        root.mistake("scope", fmt::format("\"{}\" cannot be a part of names of Kubernetes objects: expected "
                                          "small letters, digits, \"-\" and \".\"",
                                          scope));
}

void read_sqlite(const Section& sqlite, StoreConfig& store) {
    store.kind = StoreKind::sqlite;
    sqlite.read("path", store.path);
    if (store.path.empty()) sqlite.mistake("path", "missing; expected the path of the database file");
}

}  // namespace

void read_store(const Section& root, StoreConfig& store) {
    for (auto name : kUnsupported)
        if (root.has(name))
            return root.mistake(name, "this store is not supported; use one of sqlite, etcd3, kubernetes");
    std::vector<std::string_view> found;
    for (auto name : kSupported)
        if (root.object().contains(name)) found.push_back(name);
    if (found.empty())
        return root.mistake("", "no store: expected one of the sections sqlite, etcd3 (or etcd), kubernetes");
    if (found.size() > 1)
        return root.mistake(found[1],
                            fmt::format("a second store beside \"{}\"; expected exactly one", found[0]));
    Section section = root.section(found[0]);
    if (found[0] == "kubernetes")
        read_kubernetes(root, section, store);
    else if (found[0] == "sqlite")
        read_sqlite(section, store);
    else
        read_etcd(section, store);
}

}  // namespace pgherd
