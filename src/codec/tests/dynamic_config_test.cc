#include "codec/dynamic_config.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

Result<DynamicConfig> parse(std::string_view text) {
    return parse_dynamic_config(parse_json_object(text).value());
}
std::string mistake(std::string_view text) {
    auto result = parse(text);
    return result ? "understood" : result.error().message;
}

TEST(DynamicConfig, HasPatronisDefaults) {
    auto config = parse("{}").value();
    EXPECT_EQ(config.ttl, 30s);
    EXPECT_EQ(config.loop_wait, 10s);
    EXPECT_EQ(config.retry_timeout, 10s);
    EXPECT_EQ(config.maximum_lag_on_failover, 1048576);
    EXPECT_EQ(config.synchronous_mode, SynchronousMode::off);
    EXPECT_EQ(config.primary_start_timeout, 300s);
    EXPECT_EQ(config.member_slots_ttl, 30min);
    EXPECT_FALSE(config.standby_cluster);
}

TEST(DynamicConfig, LowersLoopWaitFirstSoThatTwoRetriesFitIntoTheLease) {
    auto times = [](std::string_view text) {
        auto config = parse(text).value();
        return std::tuple(config.ttl, config.loop_wait, config.retry_timeout);
    };
    EXPECT_EQ(times(R"({"ttl":20})"), std::tuple(20s, 1s, 9500ms));
    EXPECT_EQ(times(R"({"ttl":25})"), std::tuple(25s, 5s, 10s));
    EXPECT_EQ(times(R"({"ttl":5,"loop_wait":1,"retry_timeout":1})"), std::tuple(5s, 1s, 1s));
    EXPECT_EQ(times(R"({"ttl":5,"loop_wait":4,"retry_timeout":1})"), std::tuple(5s, 3s, 1s));
    EXPECT_EQ(times(R"({"ttl":0,"loop_wait":-1,"retry_timeout":0})"), std::tuple(2s, 1s, 500ms));
    EXPECT_EQ(times(R"({"ttl":"1min","loop_wait":"10","retry_timeout":"2s"})"), std::tuple(60s, 10s, 2s));
    EXPECT_EQ(times(R"({"ttl":5,"retry_timeout":9000000000})"), std::tuple(5s, 1s, 2s))
        << "twice is too much";
}

TEST(DynamicConfig, ReadsEverySpellingOfABoolean) {
    for (auto yes : {"true", "\"on\"", "\"yes\"", "\"True\"", "1"})
        EXPECT_TRUE(parse(std::string(R"({"pause":)") + yes + "}").value().pause) << yes;
    for (auto no : {"false", "\"off\"", "\"no\"", "0", "null"})
        EXPECT_FALSE(parse(std::string(R"({"pause":)") + no + "}").value().pause) << no;
}

TEST(DynamicConfig, ReadsTheSynchronousMode) {
    auto mode = [](std::string text) {
        return parse(R"({"synchronous_mode":)" + text + "}").value().synchronous_mode;
    };
    EXPECT_EQ(mode("true"), SynchronousMode::on);
    EXPECT_EQ(mode("\"on\""), SynchronousMode::on);
    EXPECT_EQ(mode("\"off\""), SynchronousMode::off);
    EXPECT_EQ(mode("\"quorum\""), SynchronousMode::quorum);
    EXPECT_EQ(mode("null"), SynchronousMode::off);
}

TEST(DynamicConfig, KnowsTheOldNames) {
    EXPECT_EQ(parse(R"({"master_start_timeout":60,"master_stop_timeout":"7"})").value().primary_start_timeout,
              60s);
    EXPECT_EQ(parse(R"({"master_stop_timeout":7})").value().primary_stop_timeout, 7s);
    EXPECT_EQ(parse(R"({"master_start_timeout":60,"primary_start_timeout":5})").value().primary_start_timeout,
              5s);
    EXPECT_TRUE(parse(R"({"permanent_slots":{"a":null}})").value().slots.contains("a"));
    EXPECT_TRUE(parse(R"({"permanent_replication_slots":{"a":{}}})").value().slots.contains("a"));
}

TEST(DynamicConfig, TurnsParametersIntoConfigurationText) {
    auto config =
        parse(
            R"({"postgresql":{"parameters":{"a":true,"b":false,"c":100,"d":0.9,"e":"128MB","f":null},)"
            R"("use_pg_rewind":"off","pg_hba":["local all all trust"],"recovery_conf":{"restore_command":"cp %f %p"}}})")
            .value();
    EXPECT_EQ(config.parameters, (std::map<std::string, std::string>{
                                     {"a", "on"}, {"b", "off"}, {"c", "100"}, {"d", "0.9"}, {"e", "128MB"}}));
    EXPECT_FALSE(config.use_pg_rewind);
    EXPECT_EQ(config.pg_hba, std::vector<std::string>{"local all all trust"});
    EXPECT_EQ(config.recovery_conf.at("restore_command"), "cp %f %p");
}

TEST(DynamicConfig, ReadsSlots) {
    auto config =
        parse(
            R"({"slots":{"p":null,"q":{"type":"physical"},"l":{"type":"logical","database":"d","plugin":"pgoutput"},)"
            R"("guessed":{"database":"d","plugin":"x"}},"ignore_slots":[{"name":"x","type":"logical"}]})")
            .value();
    EXPECT_FALSE(config.slots.at("p").logical);
    EXPECT_FALSE(config.slots.at("q").logical);
    EXPECT_TRUE(config.slots.at("l").logical);
    EXPECT_TRUE(config.slots.at("guessed").logical);
    EXPECT_EQ(config.ignore_slots.at(0).at("type"), "logical");
}

TEST(DynamicConfig, ReadsAStandbyCluster) {
    auto config =
        parse(R"({"standby_cluster":{"host":"a,b","port":"5433","create_replica_methods":["basebackup"]}})")
            .value();
    EXPECT_EQ(config.standby_cluster->host, "a,b");
    EXPECT_EQ(config.standby_cluster->port, 5433);
    EXPECT_FALSE(parse(R"({"standby_cluster":{}})").value().standby_cluster);
    EXPECT_FALSE(parse(R"({"standby_cluster":null})").value().standby_cluster);
}

TEST(DynamicConfig, NamesTheKeyOfAMistake) {
    EXPECT_EQ(mistake(R"({"ttl":"soon"})"),
              "key \"ttl\": expected seconds, but \"soon\" does not begin with a number");
    EXPECT_EQ(mistake(R"({"ttl":true})"), "key \"ttl\": expected seconds, got true");
    EXPECT_EQ(mistake(R"({"pause":"maybe"})"), "key \"pause\": expected true or false, got \"maybe\"");
    EXPECT_EQ(mistake(R"({"synchronous_mode":"all"})"),
              "key \"synchronous_mode\": expected off, on or quorum, got \"all\"");
    EXPECT_EQ(mistake(R"({"postgresql":[]})"),
              "key \"postgresql\": expected a section (a mapping), got a list");
    EXPECT_EQ(mistake(R"({"postgresql":{"parameters":{"a":[1]}}})"),
              "key \"postgresql.parameters.a\": expected a text or a number, got a list");
    EXPECT_EQ(mistake(R"({"postgresql":{"pg_hba":"x"}})"),
              "key \"postgresql.pg_hba\": expected a list, got \"x\"");
    EXPECT_EQ(mistake(R"({"slots":{"a":{"type":"logical"}}})"),
              "key \"slots.a.database\": missing; a logical slot belongs to a database");
    EXPECT_EQ(mistake(R"({"slots":{"a":{"type":"odd"}}})"),
              "key \"slots.a.type\": expected one of physical, logical, got \"odd\"");
    EXPECT_EQ(mistake(R"({"ignore_slots":[1]})"),
              "key \"ignore_slots[0]\": expected name, type, database or plugin, got 1");
    EXPECT_EQ(mistake(R"({"standby_cluster":{"host":"a","port":0}})"),
              "key \"standby_cluster.port\": expected a port (1 to 65535), got 0");
    EXPECT_EQ(mistake(R"({"synchronous_node_count":99999999999})"),
              "key \"synchronous_node_count\": 99999999999 is out of range");
}

TEST(DynamicConfig, KeepsTheDocumentAsItIs) {
    auto text = R"({"ttl":1,"mine":{"x":[1]},"postgresql":{"parameters":{"a":true}}})";
    EXPECT_EQ(to_text(parse(text).value().document), text);
}

}  // namespace
}  // namespace pgherd
