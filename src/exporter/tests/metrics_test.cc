#include "exporter/metrics.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace pgherd::exporter {
namespace {

using postgres::Table;

// What Debian's PgBouncer 1.18 answers, the columns of averages left out.
Answers answers_of_1_18() {
    return {
        {"VERSION", {{"version"}, {{"PgBouncer 1.18.0"}}}},
        {"CONFIG",
         {{"key", "value", "default", "changeable"},
          {{"auth_file", std::nullopt, "", "yes"},
           {"max_client_conn", "100", "100", "yes"},
           {"max_user_connections", "0", "0", "yes"}}}},
        {"LISTS", {{"list", "items"}, {{"databases", "2"}, {"used_clients", "3"}, {"dns_pending", "0"}}}},
        {"DATABASES",
         {{"name", "host", "port", "database", "force_user", "pool_size", "reserve_pool", "pool_mode",
           "max_connections", "current_connections", "paused", "disabled"},
          {{"shop", "/run/postgresql", "5432", "shop", std::nullopt, "20", "5", std::nullopt, "0", "1", "0",
            "0"}}}},
        {"POOLS",
         {{"database", "user", "cl_active", "cl_waiting", "cl_active_cancel_req", "sv_active", "sv_idle",
           "maxwait", "maxwait_us", "pool_mode"},
          {{"shop", "admin", "3", "2", "0", "1", "4", "7", "0", "transaction"}}}},
        {"STATS",
         {{"database", "total_xact_count", "total_query_count", "total_received", "total_wait_time"},
          {{"shop", "10", "20", "123456", "1500000"}}}},
    };
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(PgBouncerMetrics, HaveTheNamesThatDashboardsLookFor) {
    const std::string text = metrics_text(answers_of_1_18());
    for (
        const char* line :
        {"pgbouncer_up 1", R"(pgbouncer_version_info{version="PgBouncer 1.18.0"} 1)",
         "pgbouncer_config_max_client_connections 100", "pgbouncer_databases 2", "pgbouncer_used_clients 3",
         R"(pgbouncer_databases_pool_size{name="shop",host="/run/postgresql",port="5432",database="shop",force_user="",pool_mode=""} 20)",
         R"(pgbouncer_pools_client_active_connections{database="shop",user="admin"} 3)",
         R"(pgbouncer_pools_client_waiting_connections{database="shop",user="admin"} 2)",
         R"(pgbouncer_pools_server_idle_connections{database="shop",user="admin"} 4)",
         R"(pgbouncer_pools_client_maxwait_seconds{database="shop",user="admin"} 7)",
         R"(pgbouncer_stats_sql_transactions_pooled_total{database="shop"} 10)",
         R"(pgbouncer_stats_queries_pooled_total{database="shop"} 20)",
         R"(pgbouncer_stats_client_wait_seconds_total{database="shop"} 1.5)",
         "# TYPE pgbouncer_stats_queries_pooled_total counter"})
        EXPECT_TRUE(has_line(text, line)) << line << "\nis not in\n" << text;
}

TEST(PgBouncerMetrics, AreLeftOutWhereThisVersionHasNoSuchColumn) {
    const std::string text = metrics_text(answers_of_1_18());
    EXPECT_EQ(text.find("pgbouncer_stats_binds_total"), std::string::npos);
    EXPECT_EQ(text.find("dns_pending"), std::string::npos);
}

TEST(PgBouncerMetrics, KeepTheirNameWhenAColumnIsRenamed) {
    Answers answers = answers_of_1_18();
    std::ranges::replace(answers["DATABASES"].columns, std::string("reserve_pool"),
                         std::string("reserve_pool_size"));
    EXPECT_NE(metrics_text(answers).find("\npgbouncer_databases_reserve_pool{"), std::string::npos);
}

TEST(PgBouncerMetrics, EscapeWhatUsersCallTheirDatabases) {
    const Answers answers{{"STATS", {{"database", "total_sent"}, {{"a\"b\\c\nd", "1"}}}}};
    EXPECT_TRUE(
        has_line(metrics_text(answers), R"(pgbouncer_stats_sent_bytes_total{database="a\"b\\c\nd"} 1)"));
}

TEST(PgBouncerMetrics, SayThatItIsDown) {
    EXPECT_TRUE(has_line(down_text(), "pgbouncer_up 0"));
}

}  // namespace
}  // namespace pgherd::exporter
