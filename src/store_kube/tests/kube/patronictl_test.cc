// Patroni's own patronictl on records that this store has written. PGHERD_PATRONICTL names the program; the
// tests of the whole product (tests/kube) let it drive real members as well.
#include <fstream>

#include "kube_testing.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

class PatronictlTest : public ::testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        const char* program = std::getenv("PGHERD_PATRONICTL");
        if (!program) GTEST_SKIP() << "PGHERD_PATRONICTL is not set";
        program_ = program;
        config_.use_endpoints = GetParam();
        config_.leases = !GetParam();
        config_.namespace_ = name_space_;
        config_.kubeconfig = server_.kubeconfig();
        for (const char* pod : {"m1", "m2"}) server_.new_pod(loop_, name_space_, pod, "c1");
        std::ofstream(server_.file("patronictl.yaml")) << fmt::format(
            "scope: c1\nkubernetes: {{namespace: {}, context: c, labels: {{}}, use_endpoints: {}}}\n",
            name_space_, GetParam());
    }
    std::string patronictl(std::vector<std::string> words) {
        const std::string output = server_.file(fmt::format("patronictl-{}-{}.out", name_space_, ++calls_));
        ::setenv("KUBECONFIG", config_.kubeconfig.c_str(), 1);
        words.insert(words.begin(), {program_, "-c", server_.file("patronictl.yaml")});
        const int code = run_program(words, output);
        std::ifstream file(output);
        std::string text{std::istreambuf_iterator<char>(file), {}};
        EXPECT_EQ(code, 0) << text;
        return text;
    }

    EventLoop loop_;
    KubeServer& server_ = kube_server(loop_);
    std::string name_space_ = fresh_namespace(loop_);
    StoreCaller call_{loop_, kKubeLimit};
    KubernetesConfig config_;
    std::string program_;
    int calls_ = 0;
};

std::string member(const std::string& host, const std::string& role, const std::string& more) {
    return fmt::format(
        R"({{"conn_url":"postgres://{}:5432/postgres","api_url":"http://127.0.0.1:1/patroni",)"
        R"("state":"running","role":"{}","version":"4.1.5","timeline":3,"xlog_location":100{}}})",
        host, role, more);
}

TEST_P(PatronictlTest, ListsTheClusterAndChangesItsConfiguration) {
    auto store = open_kube_store(loop_, config_, "c1", MemberName("m1"));
    ASSERT_TRUE(store) << store.error().message;
    const auto lease = call_.grant(**store, 30s);
    ASSERT_TRUE(lease);
    ASSERT_TRUE(call_.put(**store, "initialize", "7710000000000000000"));
    ASSERT_TRUE(call_.put(**store, "config", R"({"ttl":30,"synchronous_mode":true})"));
    ASSERT_TRUE(call_.put(**store, "leader", "m1", *lease));
    ASSERT_TRUE(call_.put(**store, "status", R"({"optime":100,"slots":{"m2":100},"retain_slots":["m2"]})"));
    ASSERT_TRUE(call_.put(**store, "sync", R"({"leader":"m1","quorum":0,"sync_standby":"m2"})"));
    ASSERT_TRUE(call_.put(**store, "history",
                          R"([[1,100,"no recovery target specified","2026-01-01T00:00:00+00:00","m1"]])"));
    ASSERT_TRUE(call_.put(**store, "members/m1", member("10.0.0.1", "primary", ""), *lease));
    ASSERT_TRUE(call_.put(**store, "members/m2",
                          member("10.0.0.2", "replica",
                                 R"(,"replication_state":"streaming","replay_lsn":100,"receive_lsn":100)"),
                          *lease));
    const std::string list = patronictl({"list", "-f", "json"});
    const auto rows = parse_json(list);
    ASSERT_TRUE(rows) << list;
    ASSERT_EQ(rows->get_array().size(), 2U) << list;
    EXPECT_EQ(kube::text_in(rows->at(0).get_object(), "Role"), "Leader") << list;
    EXPECT_EQ(kube::text_in(rows->at(0).get_object(), "Host"), "10.0.0.1");
    EXPECT_EQ(kube::text_in(rows->at(1).get_object(), "Role"), "Sync Standby");
    EXPECT_EQ(kube::text_in(rows->at(1).get_object(), "State"), "streaming");
    EXPECT_NE(patronictl({"history"}).find("no recovery target specified"), std::string::npos);

    const auto before = call_.load(**store);
    patronictl({"edit-config", "--force", "-q", "-s", "ttl=25"});
    const auto after = call_.load(**store);
    ASSERT_TRUE(before && after);
    const Record& config = (*after)->records.at("config");
    EXPECT_NE(config.value.find("25"), std::string::npos) << config.value;
    EXPECT_GT(config.modified, (*before)->records.at("config").modified);
    EXPECT_EQ((*after)->records.at("history"), (*before)->records.at("history"));
    // Nobody reaches a member here, so patronictl asks through the store.
    const std::string said = patronictl({"switchover", "--leader", "m1", "--candidate", "m2", "--force"});
    const auto asked = call_.load(**store);
    ASSERT_TRUE(asked);
    ASSERT_TRUE((*asked)->records.contains("failover")) << said;
    EXPECT_EQ((*asked)->records.at("failover").value, R"({"leader":"m1","member":"m2"})");
}

INSTANTIATE_TEST_SUITE_P(Kube, PatronictlTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "endpoints" : "leases"; });

}  // namespace
}  // namespace pgherd
