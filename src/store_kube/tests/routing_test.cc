// Labels and addresses that Services go by.
#include "store_kube/routing.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace pgherd::kube {
namespace {

AnnotationChanges labels(const std::string& role, const std::string& state, bool holds_lock,
                         const KubernetesConfig& config = {}) {
    return role_labels(config, R"({"role":")" + role + R"(","state":")" + state + R"("})", holds_lock);
}

TEST(Routing, ThePrimaryIsWhoRunsAsOneAndHoldsTheLock) {
    EXPECT_EQ(labels("primary", "running", true).at("role"), "primary");
    EXPECT_EQ(labels("standby_leader", "running", true).at("role"), "primary");
    EXPECT_EQ(labels("primary", "running", false).at("role"), std::nullopt);
    EXPECT_EQ(labels("primary", "stopping", true).at("role"), std::nullopt);
    EXPECT_EQ(labels("replica", "running", true).at("role"), "replica");
    EXPECT_EQ(labels("replica", "starting", false).at("role"), std::nullopt);
    EXPECT_EQ(labels("demoted", "stopped", false).at("role"), std::nullopt);
    EXPECT_EQ(role_labels({}, std::nullopt, false).at("role"), std::nullopt);
    EXPECT_EQ(role_labels({}, "no JSON", true).at("role"), std::nullopt);
}

TEST(Routing, LabelsAreCalledAsConfigured) {
    KubernetesConfig config;
    config.role_label = "spilo-role";
    config.leader_label_value = "master";
    config.tmp_role_label = "tmp";
    config.bootstrap_labels = {{"making", "yes"}};
    EXPECT_EQ(labels("primary", "running", true, config),
              (AnnotationChanges{{"spilo-role", "master"}, {"tmp", "primary"}, {"making", std::nullopt}}));
    EXPECT_EQ(labels("uninitialized", "creating replica", false, config).at("making"), "yes");
}

TEST(Routing, TheLeadersAddressReplacesAllOthers) {
    KubernetesConfig config;
    config.ports = {{"postgresql", 5432, ""}};
    const auto wanted = leader_addresses(config, "n", Json(), "10.0.0.1", nullptr);
    ASSERT_TRUE(wanted);
    EXPECT_EQ(
        to_text(*wanted),
        R"([{"addresses":[{"ip":"10.0.0.1"}],"ports":[{"port":5432,"name":"postgresql","protocol":"TCP"}]}])");
    EXPECT_FALSE(leader_addresses(config, "n", *wanted, "10.0.0.1", nullptr)) << "nothing to change";
    EXPECT_TRUE(leader_addresses(config, "n", *wanted, "10.0.0.2", nullptr));
    EXPECT_FALSE(leader_addresses(config, "n", *wanted, "", nullptr)) << "the address is not known";
    Object pod;
    pod.name = "c1-0";
    pod.uid = "u";
    pod.pod_ip = "10.0.0.3";
    const auto of_pod = leader_addresses(config, "n", *wanted, "", &pod);
    ASSERT_TRUE(of_pod);
    EXPECT_NE(to_text(*of_pod).find(R"("targetRef":{"kind":"Pod","namespace":"n","name":"c1-0","uid":"u"})"),
              std::string::npos);
    EXPECT_EQ(to_text(*no_addresses(*wanted)), "[]");
    EXPECT_FALSE(no_addresses(Json()));
}

}  // namespace
}  // namespace pgherd::kube
