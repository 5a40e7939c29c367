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
        store.kind = StoreKind::kubernetes;
    else if (found[0] == "sqlite")
        read_sqlite(section, store);
    else
        read_etcd(section, store);
}

}  // namespace pgherd
