// Which object holds which record.
#include "store_kube/layout.h"

#include <set>

#include <gtest/gtest.h>

namespace pgherd::kube {
namespace {

TEST(Layout, IsPatronisForConfigMaps) {
    const Layout layout({}, "c1");
    for (const std::string key : {"leader", "status", "failsafe"})
        EXPECT_EQ(layout.object_of(key), "c1-leader");
    for (const std::string key : {"config", "history", "initialize"})
        EXPECT_EQ(layout.object_of(key), "c1-config");
    EXPECT_EQ(layout.object_of("failover"), "c1-failover");
    EXPECT_EQ(layout.object_of("sync"), "c1-sync");
    EXPECT_EQ(layout.object_of("rule"), "c1-rule");
    EXPECT_EQ(layout.selector(), "cluster-name=c1");
}

TEST(Layout, PutsTheLeaderIntoTheServicesEndpoints) {
    KubernetesConfig config;
    config.use_endpoints = true;
    config.labels = {{"application", "patroni"}};
    config.scope_label = "cluster";
    const Layout layout(config, "c1");
    EXPECT_EQ(layout.object_of("leader"), "c1");
    EXPECT_EQ(layout.object_of("config"), "c1-config");
    EXPECT_EQ(layout.selector(), "application=patroni,cluster=c1");
}

TEST(Layout, GivesEachUnusualKeyAnObjectWithAGoodName) {
    const Layout layout({}, "c1");
    std::set<std::string> names;
    const std::vector<std::string> keys{"members/a b", "members/A",  "members/a", "a/b/c/",
                                        "ä",           "a%2Fb'\"\\", "",          "Z"};
    for (const std::string& key : keys) {
        const std::string name = layout.object_of(key);
        names.insert(name);
        EXPECT_LE(name.size(), 253U);
        EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string::npos) << name;
        EXPECT_EQ(layout.fields_of(name, {key}), std::vector{layout.field_of(key)});
    }
    EXPECT_EQ(names.size(), keys.size());
    EXPECT_TRUE(layout.fields_of("c1-user", {}).empty()) << "a foreign object holds no record";
    EXPECT_TRUE(layout.fields_of("c1-user", {"rule"}).empty());
}

TEST(Layout, NamesLeasesAndKnowsThemAgain) {
    const Layout layout({}, "c1");
    const LeaseId lease(0x7123456789abcdef);
    EXPECT_EQ(layout.lease_object(lease), "c1-lease-7123456789abcdef");
    EXPECT_EQ(layout.lease_of(layout.lease_object(lease)), lease);
    for (const std::string name : {"c1-lease", "c1-lease-", "c1-lease-xyz", "c2-lease-7123456789abcdef",
                                   "c1-lease-0000000000000000", "c1-lease-7123456789ABCDEF"})
        EXPECT_FALSE(layout.lease_of(name)) << name;
}

TEST(Layout, AMemberIsAPodIfItCanBeOne) {
    EXPECT_EQ(pod_of("members/c1-0"), "c1-0");
    for (const std::string key : {"members/", "members/a b", "members/A", "leader", "members/-a"})
        EXPECT_FALSE(pod_of(key)) << key;
}

}  // namespace
}  // namespace pgherd::kube
