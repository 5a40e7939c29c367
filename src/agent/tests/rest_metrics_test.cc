// The metrics page: Patroni's names, Prometheus' format.
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "rest_state.h"

namespace pgherd::agent {
namespace {

std::string page(const AgentState& state) {
    Api api(state);
    HttpResponse response = api.ask("GET", "/metrics");
    EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
    return response.body;
}

AgentState busy_primary() {
    AgentState state = primary();
    state.config.scope = "de\"mo\\";
    state.rule_counts = {{"leader-keeps", 4}};
    state.operation_took["promote"] = std::chrono::milliseconds(31);
    return state;
}

TEST(RestMetrics, HaveAllNamesOfPatroni) {
    std::string text = page(primary());
    for (const char* name : {"version",
                             "postgres_running",
                             "postmaster_start_time",
                             "primary",
                             "xlog_location",
                             "standby_leader",
                             "replica",
                             "sync_standby",
                             "quorum_standby",
                             "xlog_received_location",
                             "xlog_replayed_location",
                             "xlog_replayed_timestamp",
                             "xlog_paused",
                             "postgres_streaming",
                             "postgres_in_archive_recovery",
                             "postgres_server_version",
                             "cluster_unlocked",
                             "failsafe_mode_is_active",
                             "failsafe_mode_enabled",
                             "failsafe_member",
                             "postgres_timeline",
                             "dcs_last_seen",
                             "pending_restart",
                             "is_paused",
                             "postgres_state",
                             "failover_priority"})
        EXPECT_NE(text.find(std::string("\npatroni_") + name + "{scope=\"demo\",name=\"c1\"} "),
                  std::string::npos)
            << name;
}

TEST(RestMetrics, EveryLineIsWellFormedAndEveryFamilyIsDeclaredOnce) {
    std::regex comment("# (HELP|TYPE) [a-z_]+ .+|# Values: .+");
    std::regex sample(
        R"re(([a-z_]+)\{scope="(\\.|[^"\\])*",name="[^"]*"(,[a-z]+="[^"]*")?\} -?[0-9]+(\.[0-9]+)?)re");
    std::set<std::string> declared;
    std::string text = page(busy_primary());
    ASSERT_EQ(text.back(), '\n');
    text.pop_back();
    for (const std::string& line : split(text, '\n')) {
        std::smatch parts;
        if (line.starts_with("#")) {
            EXPECT_TRUE(std::regex_match(line, comment)) << line;
            if (line.starts_with("# TYPE")) EXPECT_TRUE(declared.insert(split(line, ' ')[2]).second) << line;
        } else {
            ASSERT_TRUE(std::regex_match(line, parts, sample)) << line;
            EXPECT_TRUE(declared.contains(parts[1])) << line;
        }
    }
}

TEST(RestMetrics, ShowDecisionsAndPhases) {
    std::string text = page(busy_primary());
    EXPECT_NE(
        text.find("pgherd_decisions_total{scope=\"de\\\"mo\\\\\",name=\"c1\",rule=\"leader-keeps\"} 4\n"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("operation=\"promote\"} 0.031000\n"), std::string::npos);
    EXPECT_NE(text.find("pgherd_lock_remaining_seconds{scope=\"de\\\"mo\\\\\",name=\"c1\"} 20.000\n"),
              std::string::npos);
}

TEST(RestMetrics, PositionsBelongToTheirRole) {
    EXPECT_NE(page(primary()).find("patroni_xlog_location{scope=\"demo\",name=\"c1\"} 50331904\n"),
              std::string::npos);
    EXPECT_NE(page(replica()).find("patroni_xlog_location{scope=\"demo\",name=\"c2\"} 0\n"),
              std::string::npos);
    EXPECT_NE(page(replica()).find("patroni_xlog_replayed_location{scope=\"demo\",name=\"c2\"} 50331888\n"),
              std::string::npos);
}

}  // namespace
}  // namespace pgherd::agent
