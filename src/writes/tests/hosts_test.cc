#include "writes/hosts.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace pgherd::writes {
namespace {

std::string parameter(const HostSettings& host, const std::string& key) {
    auto found = std::ranges::find(host.parameters, key, &std::pair<std::string, std::string>::first);
    return found == host.parameters.end() ? "" : found->second;
}

TEST(SplitHosts, GivesEveryHostItsPortAndTheSharedSettings) {
    auto hosts = split_hosts("host=a,b,c port=1,2,3 user=u dbname=d").value();
    ASSERT_EQ(hosts.size(), 3u);
    EXPECT_EQ(hosts[1].label, "b:2");
    EXPECT_EQ(parameter(hosts[1], "host"), "b");
    EXPECT_EQ(parameter(hosts[1], "port"), "2");
    EXPECT_EQ(parameter(hosts[2], "user"), "u");
}

TEST(SplitHosts, UsesOnePortForAllHosts) {
    auto hosts = split_hosts("host=a,b port=6000").value();
    EXPECT_EQ(hosts[0].label, "a:6000");
    EXPECT_EQ(hosts[1].label, "b:6000");
}

TEST(SplitHosts, ReadsUris) {
    auto hosts = split_hosts("postgresql://u@10.0.0.1:5432,10.0.0.2:5433/d").value();
    ASSERT_EQ(hosts.size(), 2u);
    EXPECT_EQ(hosts[1].label, "10.0.0.2:5433");
    EXPECT_EQ(parameter(hosts[1], "dbname"), "d");
}

TEST(SplitHosts, AddsWhatMakesABrokenConnectionShowQuicklyUnlessGiven) {
    auto hosts = split_hosts("host=a tcp_user_timeout=5000").value();
    EXPECT_EQ(parameter(hosts[0], "target_session_attrs"), "read-write");
    EXPECT_EQ(parameter(hosts[0], "connect_timeout"), "1");
    EXPECT_EQ(parameter(hosts[0], "tcp_user_timeout"), "5000");
}

TEST(SplitHosts, RefusesWhatLibpqWouldRefuse) {
    for (auto dsn : {"host=a,b port=1,2,3", "host=a,b hostaddr=10.0.0.1", "no_such_keyword=1", "host"})
        EXPECT_FALSE(split_hosts(dsn)) << dsn;
}

}  // namespace
}  // namespace pgherd::writes
