#include "container/settings.h"

#include <gtest/gtest.h>

#include "workload/render.h"

namespace pgherd::container {
namespace {

TEST(ContainerSettings, AreAClusterOfOneMemberWithoutAStoreOfOthers) {
    auto settings = read_settings({{"POSTGRES_PASSWORD", "x"}}, "db1");
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_FALSE(settings->shared);
    EXPECT_EQ(settings->member.name, MemberName("db1"));
    EXPECT_EQ(settings->cluster.scope, "pgherd");
    EXPECT_EQ(std::get<SqliteStore>(settings->cluster.store).path, "/var/lib/postgresql/store.db");
    EXPECT_EQ(settings->password, "x");
}

TEST(ContainerSettings, OfAPodUseKubernetes) {
    auto settings = read_settings({{"PATRONI_KUBERNETES_NAMESPACE", "db"},
                                   {"PATRONI_KUBERNETES_POD_IP", "10.1.2.3"},
                                   {"PATRONI_SCOPE", "c1"},
                                   {"PATRONI_NAME", "c1-0"}},
                                  "c1-0");
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_TRUE(settings->shared);
    EXPECT_TRUE(std::holds_alternative<KubernetesStore>(settings->cluster.store));
    EXPECT_EQ(settings->member.host, "10.1.2.3");
    EXPECT_EQ(settings->member.listen_host, "0.0.0.0");
    EXPECT_TRUE(settings->member.clone_from);
    EXPECT_EQ(settings->cluster.dynamic_config.at("failsafe_mode"), true);
    EXPECT_EQ(settings->cluster.dynamic_config.at("synchronous_mode"), "quorum");
}

TEST(ContainerSettings, LeaveOtherStoresToTheAgent) {
    auto settings = read_settings({{"PATRONI_ETCD3_HOSTS", "e1:2379"}, {"PATRONI_SCOPE", "c1"}}, "db1");
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_TRUE(std::holds_alternative<StoreOfEnvironment>(settings->cluster.store));
    EXPECT_EQ(settings->member.host, "db1");
}

TEST(ContainerSettings, HonourTheVariablesOfThePostgresImage) {
    auto settings = read_settings({{"POSTGRES_PASSWORD_FILE", "/run/secrets/pw"},
                                   {"POSTGRES_USER", "admin"},
                                   {"POSTGRES_INITDB_ARGS", "--locale=C  --wal-segsize=32"},
                                   {"POSTGRES_HOST_AUTH_METHOD", "md5"},
                                   {"PGDATA", "/data/pg"}},
                                  "db1");
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->cluster.superuser_password.file, "/run/secrets/pw");
    EXPECT_EQ(settings->cluster.superuser, "admin");
    EXPECT_EQ(settings->cluster.client_authentication, "md5");
    EXPECT_EQ(settings->cluster.initdb.back(), "--wal-segsize=32");
    EXPECT_EQ(settings->member.data_dir, "/data/pg");
    EXPECT_EQ(std::get<SqliteStore>(settings->cluster.store).path, "/data/store.db");
}

TEST(ContainerSettings, NameTheFirstDatabaseAfterTheUserUnlessItHasANameOfItsOwn) {
    auto database = [](Environment environment) {
        environment["POSTGRES_PASSWORD"] = "x";
        auto settings = read_settings(environment, "db1");
        return settings ? settings->database : settings.error().message;
    };
    EXPECT_EQ(database({}), "postgres");
    EXPECT_EQ(database({{"POSTGRES_USER", "admin"}}), "admin");
    EXPECT_EQ(database({{"POSTGRES_USER", "admin"}, {"POSTGRES_DB", "shop"}}), "shop");
    EXPECT_EQ(database({{"POSTGRES_USER", "admin"}, {"POSTGRES_DB", ""}}), "admin");
}

TEST(ContainerSettings, KeepFilesBesideTheDataDirectoryAndNotInIt) {
    auto settings = read_settings({{"POSTGRES_PASSWORD", "x"}, {"PGDATA", "/data/pg//"}}, "db1");
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->member.data_dir, "/data/pg");
    EXPECT_EQ(std::get<SqliteStore>(settings->cluster.store).path, "/data/store.db");
}

TEST(ContainerSettings, MistakesNameTheVariable) {
    auto message = [](const Environment& environment) {
        auto settings = read_settings(environment, "db1");
        return settings ? "no mistake" : settings.error().message;
    };
    EXPECT_EQ(message({{"PATRONI_KUBERNETES_NAMESPACE", "db"}}),
              "PATRONI_SCOPE is not set; it is the name of the cluster");
    EXPECT_EQ(message({{"PGDATA", "data"}}),
              "PGDATA: expected a path such as /var/lib/postgresql/data, got \"data\"");
    EXPECT_EQ(message({{"PATRONI_NAME", "a/b"}}),
              "PATRONI_NAME: expected the name of this member, got \"a/b\"");
    EXPECT_EQ(message({{"POSTGRES_PASSWORD", "x"}, {"POSTGRES_PASSWORD_FILE", "/x"}}),
              "POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set; keep one of them");
    EXPECT_EQ(message({{"POSTGRES_INITDB_ARGS", "--locale 'C"}}),
              "POSTGRES_INITDB_ARGS: EOF found when expecting closing quote");
    EXPECT_EQ(message({{"POSTGRES_INITDB_ARGS", "-D /data"}}),
              "POSTGRES_INITDB_ARGS: there is no use for \"-D\" here");
    EXPECT_EQ(message({{"POSTGRES_INITDB_WALDIR", "/wal"}}),
              "POSTGRES_INITDB_WALDIR: WAL outside of the data directory is not supported; unset it");
    EXPECT_EQ(
        message({{"POSTGRES_HOST_AUTH_METHOD", "peer"}}),
        "POSTGRES_HOST_AUTH_METHOD: expected scram-sha-256, md5 or trust, got \"peer\"; for others, list "
        "postgresql.pg_hba in a file of /etc/pgherd/conf.d");
}

TEST(ContainerSettings, BecomeAFileOfTheAgentWithoutAnySecretInIt) {
    auto settings = read_settings({{"POSTGRES_PASSWORD", "s3cret"}}, "db1");
    ASSERT_TRUE(settings);
    settings->cluster.superuser_password.file = "/run/pgherd/superuser-password";
    const std::string yaml = render_agent_yaml(settings->cluster, settings->member);
    EXPECT_EQ(yaml.find("s3cret"), std::string::npos);
    EXPECT_NE(yaml.find("password_file: /run/pgherd/superuser-password"), std::string::npos) << yaml;
}

}  // namespace
}  // namespace pgherd::container
