#include "workload/render.h"

#include <gtest/gtest.h>

#include "codec/agent_config.h"
#include "codec/dynamic_config.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

ClusterSpec cluster_spec() {
    ClusterSpec cluster = local_cluster_defaults();
    cluster.scope = "demo";
    cluster.superuser_password.text = "yes: #1 'x' \"y\"\n";  // nothing in a password may become syntax
    cluster.replication_password.text = "0123";
    cluster.rewind_password.text = "on";
    cluster.store = SqliteStore{"/srv/demo/store.db"};
    return cluster;
}

MemberSpec member_spec() {
    return {.name = MemberName("demo-1"),
            .host = "127.0.0.1",
            .postgres_port = 5433,
            .rest_port = 8009,
            .data_dir = "/srv/demo/a b",
            .bin_dir = "/usr/lib/postgresql/15/bin",
            .socket_dir = "/srv/demo/run",
            .run_as = "postgres",
            .log_dir = "/srv/demo/log"};
}

AgentConfig read_back(const ClusterSpec& cluster, const MemberSpec& member) {
    auto yaml = render_agent_yaml(cluster, member);
    auto config = parse_agent_config(yaml, "agent.yml", {});
    EXPECT_TRUE(config) << (config ? "" : config.error().message) << "\n" << yaml;
    return config ? *config : AgentConfig{};
}

TEST(RenderAgentYaml, LetsClientsInAsTheSpecSaysAndTheAgentByTheSocket) {
    ClusterSpec cluster = cluster_spec();
    EXPECT_TRUE(read_back(cluster, member_spec()).postgres.pg_hba.empty());
    cluster.client_authentication = "trust";
    const PostgresConfig postgres = read_back(cluster, member_spec()).postgres;
    EXPECT_EQ(postgres.pg_hba.front(), "local all \"postgres\" peer map=pgherd");
    EXPECT_EQ(postgres.pg_hba.back(), "host all all all trust");
    EXPECT_TRUE(postgres.use_unix_socket);
}

TEST(RenderAgentYaml, IsReadBackToTheSameValues) {
    auto config = read_back(cluster_spec(), member_spec());
    EXPECT_EQ(config.key_prefix(), "/service/demo/");
    EXPECT_EQ(config.name, MemberName("demo-1"));
    EXPECT_EQ(config.store.kind, StoreKind::sqlite);
    EXPECT_EQ(config.store.path, "/srv/demo/store.db");
    EXPECT_EQ(config.restapi.listen, (Endpoint{"127.0.0.1", 8009}));
    EXPECT_EQ(config.postgres.connect_address, (Endpoint{"127.0.0.1", 5433}));
    EXPECT_EQ(config.postgres.data_dir, "/srv/demo/a b");
    EXPECT_EQ(config.postgres.bin_dir, "/usr/lib/postgresql/15/bin");
    EXPECT_EQ(config.postgres.socket_dir, "/srv/demo/run");
    EXPECT_EQ(config.postgres.run_as, "postgres");
    EXPECT_EQ(config.log.dir, "/srv/demo/log");
    EXPECT_EQ(config.postgres.superuser.username, "postgres");
    EXPECT_EQ(config.postgres.superuser.password, cluster_spec().superuser_password.text);
    EXPECT_EQ(config.postgres.replication.password, "0123");
    EXPECT_EQ(config.postgres.rewind.username, "rewind");
    EXPECT_EQ(config.postgres.rewind.password, "on");
    EXPECT_TRUE(config.has_bootstrap);
    EXPECT_EQ(config.bootstrap.initdb, cluster_spec().initdb);
    EXPECT_EQ(config.bootstrap.dcs, cluster_spec().dynamic_config);
}

TEST(RenderAgentYaml, LeavesOutWhatIsNotSaid) {
    ClusterSpec cluster;
    cluster.scope = "c";
    cluster.store = SqliteStore{"s.db"};
    auto config = read_back(cluster, {.name = MemberName("a"), .data_dir = "d"});
    EXPECT_EQ(config.postgres.rewind.username, "");
    EXPECT_EQ(config.postgres.superuser.password, "");
    EXPECT_EQ(config.postgres.socket_dir, "");
    EXPECT_TRUE(config.bootstrap.initdb.empty());
    EXPECT_TRUE(config.has_bootstrap);
}

TEST(RenderAgentYaml, RendersEtcd) {
    ClusterSpec cluster = cluster_spec();
    cluster.store =
        EtcdStore{{{"10.0.0.1", 2379}, {"fe80::1", 2380}}, true, {"ca", "cert", "key", "pw", true}, "u", "p"};
    auto store = read_back(cluster, member_spec()).store;
    EXPECT_EQ(store.kind, StoreKind::etcd);
    EXPECT_EQ(store.endpoints, (std::vector<Endpoint>{{"10.0.0.1", 2379}, {"fe80::1", 2380}}));
    EXPECT_TRUE(store.https);
    EXPECT_EQ(store.tls.ca_file, "ca");
    EXPECT_EQ(store.tls.key_password, "pw");
    EXPECT_EQ(store.username, "u");
    EXPECT_EQ(store.password, "p");
}

TEST(LocalClusterDefaults, NoticeADeadPrimaryWithinSeconds) {
    auto config = parse_dynamic_config(local_cluster_defaults().dynamic_config).value();
    EXPECT_EQ(config.ttl, 5s);
    EXPECT_EQ(config.loop_wait, 1s);
    EXPECT_EQ(config.retry_timeout, 1s);
    EXPECT_TRUE(config.use_pg_rewind);
    EXPECT_TRUE(config.use_slots);
}

}  // namespace
}  // namespace pgherd
