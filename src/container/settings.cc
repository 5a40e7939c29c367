#include "container/settings.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "container/initdb_arguments.h"

namespace pgherd::container {
namespace {

constexpr const char* kData = "/var/lib/postgresql/data";
constexpr const char* kRun = "/run/pgherd";
constexpr const char* kSockets = "/run/postgresql";
constexpr const char* kSecrets = "/etc/pgherd/secrets";
constexpr const char* kConfig = "/etc/pgherd/conf.d";
constexpr const char* kScripts = "/docker-entrypoint-initdb.d";

class Reader {
  public:
    explicit Reader(const Environment& environment) : environment_(environment) {}

    std::string get(const std::string& name, std::string fallback = {}) const {
        const auto found = environment_.find(name);
        return found == environment_.end() || found->second.empty() ? std::move(fallback) : found->second;
    }
    bool has(std::string_view prefix) const {
        return std::ranges::any_of(environment_, [&](const auto& variable) {
            return variable.first.starts_with(prefix) && !variable.second.empty();
        });
    }

  private:
    const Environment& environment_;
};

bool is_member_name(const std::string& name) {
    return !name.empty() && name.find('/') == std::string::npos;
}

// Whether others can find this cluster, and where.
void choose_store(const Reader& variables, const std::string& data_dir, Settings& settings) {
    if (variables.has("PATRONI_KUBERNETES_")) {
        settings.cluster = spread_cluster_defaults();
        settings.cluster.store = KubernetesStore{};
        settings.shared = true;
    } else if (variables.has("PATRONI_ETCD3_") || variables.has("PATRONI_ETCD_")) {
        settings.cluster = spread_cluster_defaults();
        settings.cluster.store = StoreOfEnvironment{};
        settings.shared = true;
    } else {
        settings.cluster = local_cluster_defaults();
        settings.cluster.store = SqliteStore{
            variables.get("PATRONI_SQLITE_PATH", data_dir.substr(0, data_dir.rfind('/')) + "/store.db")};
    }
}

// What only a new cluster's first member needs.
Status read_first_start(const Reader& variables, Settings& settings) {
    ClusterSpec& cluster = settings.cluster;
    settings.database = variables.get("POSTGRES_DB", cluster.superuser);
    auto arguments = initdb_arguments(variables.get("POSTGRES_INITDB_ARGS"));
    if (!arguments) return std::unexpected(with_context(arguments.error(), "POSTGRES_INITDB_ARGS"));
    cluster.initdb.insert(cluster.initdb.end(), arguments->begin(), arguments->end());
    if (!variables.get("POSTGRES_INITDB_WALDIR").empty())
        return fail(ErrorCode::invalid,
                    "POSTGRES_INITDB_WALDIR: WAL outside of the data directory is not supported; unset it");
    return {};
}

Status read_client_authentication(const Reader& variables, ClusterSpec& cluster) {
    cluster.client_authentication = variables.get("POSTGRES_HOST_AUTH_METHOD");
    constexpr std::array<std::string_view, 4> kMethods{"", "scram-sha-256", "md5", "trust"};
    if (std::ranges::find(kMethods, cluster.client_authentication) != kMethods.end()) return {};
    return fail(
        ErrorCode::invalid,
        fmt::format("POSTGRES_HOST_AUTH_METHOD: expected scram-sha-256, md5 or trust, got \"{}\"; for "
                    "others, list postgresql.pg_hba in a file of {}",
                    cluster.client_authentication, kConfig));
}

}  // namespace

const std::vector<std::string> kUsedUp{"POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE"};

Result<Settings> read_settings(const Environment& environment, const std::string& host_name) {
    const Reader variables(environment);
    Settings settings;
    MemberSpec& member = settings.member;
    member.data_dir = variables.get("PGDATA", kData);
    while (member.data_dir.size() > 1 && member.data_dir.ends_with('/')) member.data_dir.pop_back();
    if (!member.data_dir.starts_with('/') || member.data_dir.rfind('/') == 0)
        return fail(ErrorCode::invalid,
                    fmt::format("PGDATA: expected a path such as {}, got \"{}\"", kData, member.data_dir));
    choose_store(variables, member.data_dir, settings);
    settings.run_dir = variables.get("PGHERD_RUN", kRun);
    settings.secrets_dir = variables.get("PGHERD_SECRETS", kSecrets);
    settings.own_config = variables.get("PGHERD_CONFIG", kConfig);
    settings.scripts_dir = variables.get("PGHERD_INIT_SCRIPTS", kScripts);
    settings.password = variables.get("POSTGRES_PASSWORD");
    if (!settings.password.empty() && !variables.get("POSTGRES_PASSWORD_FILE").empty())
        return fail(ErrorCode::invalid,
                    "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set; keep one of them");
    ClusterSpec& cluster = settings.cluster;
    cluster.superuser_password.file = variables.get("POSTGRES_PASSWORD_FILE");
    cluster.superuser = variables.get("POSTGRES_USER", cluster.superuser);
    cluster.scope = variables.get("PATRONI_SCOPE", settings.shared ? "" : "pgherd");
    if (cluster.scope.empty())
        return fail(ErrorCode::invalid, "PATRONI_SCOPE is not set; it is the name of the cluster");
    std::string name = variables.get("PATRONI_NAME", host_name);
    if (!is_member_name(name))
        return fail(ErrorCode::invalid,
                    fmt::format("PATRONI_NAME: expected the name of this member, got \"{}\"", name));
    member.name = MemberName(std::move(name));
    member.host = variables.get("PATRONI_KUBERNETES_POD_IP", settings.shared ? host_name : "127.0.0.1");
    member.listen_host = "0.0.0.0";
    member.clone_from = settings.shared;
    member.socket_dir = kSockets;
    PGHERD_CHECK(read_first_start(variables, settings));
    PGHERD_CHECK(read_client_authentication(variables, cluster));
    cluster.rest_username = "pgherd";
    return settings;
}

}  // namespace pgherd::container
