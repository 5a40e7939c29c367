#include "codec/agent_config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include "codec/dynamic_config.h"
#include "codec/json.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

std::string sample() {
    std::ifstream file(PGHERD_TESTDATA "/patroni.yml");
    return {std::istreambuf_iterator<char>(file), {}};
}

AgentConfig parse(std::string_view yaml, const Environment& environment = {}) {
    auto config = parse_agent_config(yaml, "patroni.yml", environment);
    EXPECT_TRUE(config) << (config ? "" : config.error().message);
    return config ? *config : AgentConfig{};
}

constexpr std::string_view kSmall =
    "scope: c1\nname: a\nsqlite: {path: s.db}\npostgresql: {data_dir: /d/pg}\n";

class Directory {
  public:
    Directory() {
        std::string name = (std::filesystem::temp_directory_path() / "pgherd-codec-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    std::string file(const std::string& name, std::string_view text) const {
        std::ofstream(path_ / name) << text;
        return (path_ / name).string();
    }
    std::string path() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

TEST(AgentConfig, UnderstandsAWholePatroniFile) {
    auto config = parse(sample());
    EXPECT_EQ(config.scope, "batman");
    EXPECT_EQ(config.key_prefix(), "/db/batman/");
    EXPECT_EQ(config.name, MemberName("postgresql0"));
    EXPECT_EQ(config.store.kind, StoreKind::etcd);
    EXPECT_EQ(config.store.endpoints, (std::vector<Endpoint>{{"10.0.0.7", 2379}, {"10.0.0.8", 2380}}));
    EXPECT_TRUE(config.store.https);
    EXPECT_EQ(config.store.tls.ca_file, "/etc/etcd/ca.crt");
    EXPECT_EQ(config.store.username, "patroni");
    EXPECT_EQ(config.restapi.listen, (Endpoint{"0.0.0.0", 8008}));
    EXPECT_EQ(config.restapi.connect_address, (Endpoint{"10.0.0.1", 8008}));
    EXPECT_EQ(config.restapi.username, "admin");
    EXPECT_EQ(config.restapi.allowlist, (Texts{"10.0.0.0/8", "localhost"}));
    EXPECT_TRUE(config.restapi.allowlist_include_members);
    EXPECT_EQ(config.restapi.http_extra_headers.at("Strict-Transport-Security"), "max-age=31536000");
    EXPECT_EQ(config.restapi.verify_client, "optional");
    EXPECT_EQ(config.ctl.username, "admin");
    EXPECT_EQ(config.ctl.tls.ca_file, "/etc/ssl/ca.crt");
    EXPECT_EQ(config.log.level, "DEBUG");
    EXPECT_TRUE(config.log.json);
    EXPECT_EQ(config.watchdog.mode, WatchdogConfig::Mode::off);
    EXPECT_EQ(config.watchdog.safety_margin, 3s);
    EXPECT_TRUE(config.tags.clonefrom);
    EXPECT_EQ(to_text(config.tags.all),
              R"({"nofailover":false,"failover_priority":5,"clonefrom":true,"datacenter":"west"})");
}

TEST(AgentConfig, UnderstandsThePostgresqlSection) {
    auto postgres = parse(sample()).postgres;
    EXPECT_EQ(postgres.listen_hosts, (Texts{"127.0.0.1", "10.0.0.1"}));
    EXPECT_EQ(postgres.port, 5433);
    EXPECT_EQ(postgres.connect_address, (Endpoint{"10.0.0.1", 5433}));
    EXPECT_EQ(postgres.proxy_address, (Endpoint{"10.0.0.1", 6432}));
    EXPECT_EQ(postgres.data_dir, "/data/postgresql0");
    EXPECT_EQ(postgres.config_dir, "/data/postgresql0");
    EXPECT_EQ(postgres.pgpass, "/data/.pgpass_postgresql0");
    EXPECT_EQ(postgres.bin_name.at("pg_rewind"), "my_rewind");
    EXPECT_EQ(postgres.superuser.password, "zalando");
    EXPECT_EQ(postgres.replication.username, "replicator");
    EXPECT_EQ(postgres.replication.options,
              (Map{{"sslmode", "verify-ca"}, {"sslrootcert", "/etc/ssl/ca.crt"}}));
    EXPECT_EQ(postgres.rewind.username, "rewind_user");
    EXPECT_EQ(postgres.rewind.password, "12345");
    EXPECT_EQ(postgres.parameters, (Map{{"unix_socket_directories", "/run/pg, /tmp"},
                                        {"fsync", "on"},
                                        {"work_mem", "8MB"},
                                        {"seq_page_cost", "1.5"}}));
    EXPECT_EQ(postgres.socket_dir, "/run/pg");
    EXPECT_EQ(postgres.callbacks, (Map{{"on_role_change", "/usr/bin/role"}}));
    EXPECT_EQ(postgres.basebackup, (Texts{"--verbose", "--max-rate=100M", "--checkpoint=fast"}));
    EXPECT_EQ(postgres.rewind_options, (Texts{"--debug"}));
    ASSERT_EQ(postgres.create_replica_methods.size(), 2u);
    EXPECT_EQ(postgres.create_replica_methods[0].command, "/usr/bin/pgbackrest restore");
    EXPECT_TRUE(postgres.create_replica_methods[0].keep_data);
    EXPECT_EQ(postgres.create_replica_methods[0].options, (Map{{"threshold", "30"}}));
    EXPECT_EQ(postgres.create_replica_methods[1].name, "basebackup");
    EXPECT_EQ(postgres.pg_hba,
              (Texts{"local all all peer", "host replication replicator 10.0.0.0/8 scram-sha-256"}));
    EXPECT_EQ(postgres.pg_ctl_timeout, 90s);
    EXPECT_EQ(postgres.run_as, "pg");
}

TEST(AgentConfig, UnderstandsTheBootstrapSection) {
    auto config = parse(sample());
    EXPECT_TRUE(config.has_bootstrap);
    EXPECT_EQ(config.bootstrap.initdb,
              (Texts{"--encoding=UTF8", "--data-checksums", "--auth-host=scram-sha-256"}));
    EXPECT_EQ(config.bootstrap.method, "restore");
    EXPECT_EQ(config.bootstrap.custom->command, "/usr/bin/restore");
    EXPECT_EQ(config.bootstrap.custom->options, (Map{{"stanza", "main"}}));
    EXPECT_EQ(config.bootstrap.custom_recovery_conf.at("recovery_target_action"), "promote");
    EXPECT_TRUE(config.bootstrap.custom_keep_existing_recovery_conf);
    EXPECT_EQ(config.bootstrap.post_bootstrap, "/usr/bin/setup");
    auto dynamic = parse_dynamic_config(config.bootstrap.dcs).value();
    EXPECT_EQ(dynamic.parameters,
              (Map{{"max_connections", "100"}, {"hot_standby", "on"}, {"wal_level", "replica"}}));
    EXPECT_EQ(dynamic.synchronous_mode, SynchronousMode::on);
}

TEST(AgentConfig, HasDefaults) {
    auto config = parse(kSmall);
    EXPECT_EQ(config.source, "patroni.yml");
    EXPECT_EQ(config.key_prefix(), "/service/c1/");
    EXPECT_EQ(config.store.kind, StoreKind::sqlite);
    EXPECT_EQ(config.store.path, "s.db");
    EXPECT_EQ(config.restapi.connect_address, (Endpoint{"127.0.0.1", 8008}));
    EXPECT_EQ(config.postgres.connect_address, (Endpoint{"127.0.0.1", 5432}));
    EXPECT_EQ(config.postgres.pgpass, "/d/.pgpass_a");
    EXPECT_EQ(config.postgres.superuser.username, "postgres");
    EXPECT_FALSE(config.has_bootstrap);
    EXPECT_FALSE(config.log.json);
}

TEST(AgentConfig, KeepsUnknownKeys) {
    auto config = parse(std::string(kSmall) + "mine:\n  a: [1]\nctl: {x: 1}\n");
    EXPECT_EQ(to_text(config.document.at("mine")), R"({"a":[1]})");
}

TEST(AgentConfig, KeepsTheKeyOrderAndNullsOfTheFile) {
    auto config = parse("scope: c1\nkubernetes:\nname: a\npostgresql: {data_dir: d}\n");
    EXPECT_EQ(config.store.kind, StoreKind::kubernetes);
}

TEST(AgentConfig, ReadsPatronisKubernetesSection) {
    auto config = parse(R"(scope: c1
name: a
postgresql: {data_dir: d}
kubernetes:
  namespace: pg
  labels: {application: spilo}
  scope_label: cluster
  role_label: spilo-role
  leader_label_value: master
  follower_label_value: standby
  standby_leader_label_value: standby-leader
  tmp_role_label: tmp
  bootstrap_labels: {making: yes}
  use_endpoints: true
  pod_ip: 10.0.0.1
  ports: [{port: 5432, name: postgresql}, {port: 6432, protocol: TCP}]
  bypass_api_service: true
  retriable_http_codes: '500, 503'
  hosts: [10.0.0.1:6443]
  context: kind
)");
    const KubernetesConfig& kubernetes = config.store.kubernetes;
    EXPECT_EQ(kubernetes.namespace_, "pg");
    EXPECT_EQ(kubernetes.labels, (std::map<std::string, std::string>{{"application", "spilo"}}));
    EXPECT_EQ(kubernetes.scope_label, "cluster");
    EXPECT_EQ(kubernetes.role_label, "spilo-role");
    EXPECT_EQ(kubernetes.leader_label_value, "master");
    EXPECT_EQ(kubernetes.follower_label_value, "standby");
    EXPECT_EQ(kubernetes.standby_leader_label_value, "standby-leader");
    EXPECT_EQ(kubernetes.tmp_role_label, "tmp");
    EXPECT_TRUE(kubernetes.bootstrap_labels.contains("making"));
    EXPECT_TRUE(kubernetes.use_endpoints);
    EXPECT_FALSE(kubernetes.leases);
    EXPECT_EQ(kubernetes.ports, (std::vector<KubernetesPort>{{"postgresql", 5432, ""}, {"", 6432, "TCP"}}));
    EXPECT_TRUE(kubernetes.bypass_api_service);
    EXPECT_EQ(kubernetes.retriable_http_codes, (std::vector<int>{500, 503}));
    EXPECT_EQ(kubernetes.hosts, std::vector<std::string>{"https://10.0.0.1:6443"});
    EXPECT_EQ(kubernetes.context, "kind");
}

TEST(AgentConfig, ReadsKubernetesFromVariables) {
    auto config = parse("scope: c1\nname: a\npostgresql: {data_dir: d}\n",
                        {{"PATRONI_KUBERNETES_NAMESPACE", "pg"},
                         {"PATRONI_KUBERNETES_POD_IP", "10.0.0.1"},
                         {"PATRONI_KUBERNETES_LABELS", "{application: pgherd}"},
                         {"PATRONI_KUBERNETES_USE_ENDPOINTS", "true"},
                         {"PATRONI_KUBERNETES_PORTS", "[{port: 5433}]"},
                         {"PATRONI_KUBERNETES_LEASES", "on"}});
    EXPECT_EQ(config.store.kind, StoreKind::kubernetes);
    EXPECT_EQ(config.store.kubernetes.namespace_, "pg");
    EXPECT_EQ(config.store.kubernetes.pod_ip, "10.0.0.1");
    EXPECT_EQ(config.store.kubernetes.labels.at("application"), "pgherd");
    EXPECT_TRUE(config.store.kubernetes.use_endpoints);
    EXPECT_TRUE(config.store.kubernetes.leases);
    EXPECT_EQ(config.store.kubernetes.ports.front().port, 5433);
}

TEST(AgentConfig, ReadsEveryFormOfEtcdHosts) {
    auto endpoints = [](const std::string& etcd, const Environment& environment = {}) {
        return parse("scope: c1\nname: a\npostgresql: {data_dir: d}\n" + etcd, environment).store.endpoints;
    };
    std::vector<Endpoint> two{{"a", 2379}, {"b", 2380}};
    EXPECT_EQ(endpoints("etcd3: {hosts: [a, 'b:2380']}"), two);
    EXPECT_EQ(endpoints("etcd: {hosts: 'a:2379, b:2380'}"), two);
    EXPECT_EQ(endpoints("etcd3: {host: 'a:2379'}"), (std::vector<Endpoint>{{"a", 2379}}));
    EXPECT_EQ(endpoints("etcd3: {host: a, port: 99}"), (std::vector<Endpoint>{{"a", 99}}));
    EXPECT_EQ(endpoints("etcd3: {url: 'https://a:2379/'}"), (std::vector<Endpoint>{{"a", 2379}}));
    EXPECT_EQ(endpoints("etcd3: {host: '[::1]:2379'}"), (std::vector<Endpoint>{{"::1", 2379}}));
    EXPECT_EQ(endpoints("", {{"PATRONI_ETCD3_HOSTS", "a:2379,b:2380"}}), two);
    EXPECT_EQ(endpoints("", {{"PATRONI_ETCD_HOSTS", "['a:2379', 'b:2380']"}}), two);
    EXPECT_EQ(endpoints("etcd3: {hosts: [c]}", {{"PATRONI_ETCD3_HOSTS", "- a\n- b:2380"}}), two);
}

TEST(AgentConfig, LetsVariablesWin) {
    auto config = parse(kSmall, {{"PATRONI_NAME", "b"},
                                 {"PATRONI_SCOPE", ""},
                                 {"PATRONI_NAMESPACE", "/x/"},
                                 {"PATRONI_SUPERUSER_PASSWORD", "yes"},
                                 {"PATRONI_REPLICATION_USERNAME", "rep"},
                                 {"PATRONI_REPLICATION_SSLMODE", "require"},
                                 {"PATRONI_POSTGRESQL_LISTEN", "127.0.0.1:5439"},
                                 {"PATRONI_POSTGRESQL_BIN_PG_REWIND", "r"},
                                 {"PATRONI_RESTAPI_LISTEN", "127.0.0.1:8009"},
                                 {"PATRONI_RESTAPI_USERNAME", "u"},
                                 {"PATRONI_RESTAPI_PASSWORD", "0123"},
                                 {"PATRONI_RESTAPI_ALLOWLIST", "a, b"},
                                 {"PATRONI_RESTAPI_HTTP_EXTRA_HEADERS", "X-A: b"},
                                 {"PATRONI_LOG_LEVEL", "warning"},
                                 {"PATRONI_SQLITE_PATH", "other.db"},
                                 {"PATRONI_UNKNOWN", "x"},
                                 {"PATRONI_", "x"},
                                 {"PATRONI__HOST", "x"},
                                 {"HOME", "/root"}});
    EXPECT_EQ(config.name, MemberName("b"));
    EXPECT_EQ(config.scope, "c1");
    EXPECT_EQ(config.namespace_, "x");
    EXPECT_EQ(config.postgres.superuser.password, "yes");
    EXPECT_EQ(config.postgres.replication.username, "rep");
    EXPECT_EQ(config.postgres.replication.options.at("sslmode"), "require");
    EXPECT_EQ(config.postgres.connect_address.port, 5439);
    EXPECT_EQ(config.postgres.bin_name.at("pg_rewind"), "r");
    EXPECT_EQ(config.restapi.listen.port, 8009);
    EXPECT_EQ(config.restapi.username, "u");
    EXPECT_EQ(config.restapi.password, "0123");
    EXPECT_EQ(config.restapi.allowlist, (Texts{"a", "b"}));
    EXPECT_EQ(config.restapi.http_extra_headers.at("X-A"), "b");
    EXPECT_EQ(config.log.level, "WARNING");
    EXPECT_EQ(config.store.path, "other.db");
}

TEST(AgentConfig, CanComeFromVariablesAlone) {
    auto config = load_agent_config("", {{"PATRONI_SCOPE", "c1"},
                                         {"PATRONI_NAME", "a"},
                                         {"PATRONI_POSTGRESQL_DATA_DIR", "/d/pg"},
                                         {"PATRONI_SQLITE_PATH", "s.db"}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->postgres.data_dir, "/d/pg");
    config = load_agent_config("", {{"PATRONI_CONFIGURATION", std::string(kSmall)}, {"PATRONI_NAME", "b"}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->name, MemberName("b"));
    EXPECT_EQ(load_agent_config("", {{"PATRONI_CONFIGURATION", "name: [a]"}, {"PATRONI_SCOPE", "x"}})
                  .error()
                  .message,
              "PATRONI_CONFIGURATION:1: key \"name\": expected a text, got a list");
}

TEST(AgentConfig, IsReadFromAFile) {
    Directory directory;
    auto path = directory.file("patroni.yml", kSmall);
    auto config = load_agent_config(path, {});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->source, path);
}

TEST(AgentConfig, MergesTheFilesOfADirectoryByName) {
    Directory directory;
    directory.file("20.yaml", "name: b\npostgresql:\n  parameters: {work_mem: 8MB}\n  use_unix_socket:\n");
    directory.file(
        "10.yml",
        "scope: c1\nname: a\nsqlite: {path: s.db}\npostgresql:\n  data_dir: d\n  use_unix_socket: true\n"
        "  parameters: {fsync: off}\n");
    directory.file("90.txt", "name: c\n");
    auto config = load_agent_config(directory.path(), {});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->name, MemberName("b"));
    EXPECT_FALSE(config->postgres.use_unix_socket);
    EXPECT_EQ(config->postgres.parameters, (Map{{"fsync", "off"}, {"work_mem", "8MB"}}));
    directory.file("30.yml", "restapi:\n  listen: []\n");
    EXPECT_EQ(load_agent_config(directory.path(), {}).error().message,
              directory.path() + "/30.yml:2: key \"restapi.listen\": expected host:port, got a list");
}

TEST(AgentConfig, ReadsPasswordsFromTheFirstLineOfFiles) {
    Directory directory;
    auto password = directory.file("password", "s3cret: x\nmore\n");
    auto config = parse_agent_config(kSmall, "patroni.yml",
                                     {{"PATRONI_REPLICATION_PASSWORD_FILE", password},
                                      {"PATRONI_RESTAPI_USERNAME", "u"},
                                      {"PATRONI_RESTAPI_PASSWORD_FILE", password}});
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->postgres.replication.password, "s3cret: x");
    EXPECT_EQ(config->postgres.replication.password_file, password);
    EXPECT_TRUE(config->postgres.replication.options.empty());
    EXPECT_EQ(config->restapi.password, "s3cret: x");
    EXPECT_EQ(config->ctl.password, "s3cret: x");
}

TEST(AgentConfig, SaysWhichFileCannotBeRead) {
    Directory directory;
    auto missing = directory.path() + "/missing.yml";
    EXPECT_EQ(load_agent_config(missing, {}).error().message,
              "cannot read configuration " + missing + ": No such file or directory");
    EXPECT_EQ(load_agent_config(directory.path(), {}).error().message,
              "cannot read configuration " + directory.path() + ": no *.yml file in it");
}

// Cuts, swaps and repeats pieces of a good file: whatever comes out is understood or refused, never a crash.
TEST(AgentConfig, SurvivesDamagedFiles) {
    std::mt19937 random(20260102);
    const std::string good = sample();
    const std::string bits = "\t\n:-[]{}&*!|>'\"#%@`, \0\xff<x";
    auto below = [&](std::size_t bound) { return std::size_t(random()) % bound; };
    for (int round = 0; round < 500; ++round) {
        std::string text = good;
        for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
            auto at = below(text.size());
            switch (below(4)) {
                case 0: text[at] = bits[below(bits.size())]; break;
                case 1: text.erase(at, below(40)); break;
                case 2: text.insert(at, text.substr(below(text.size()), below(40))); break;
                default: text.insert(at, 1, bits[below(bits.size())]); break;
            }
        }
        auto config = parse_agent_config(text, "f.yml", {});
        if (!config) EXPECT_FALSE(config.error().message.empty());
    }
}

}  // namespace
}  // namespace pgherd
