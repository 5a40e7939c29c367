#include "writes/report.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace pgherd::writes {
namespace {

using namespace std::chrono_literals;

Mono at(Duration since_start) {
    return Mono{} + 1000s + since_start;
}

RunLog some_run() {
    RunLog log;
    log.run = "r\"1";
    log.table = "pgherd_writes";
    log.started = at(0s);
    log.ended = at(5s);
    for (Duration time : {10ms, 20ms, 1520ms, 1530ms}) log.gaps.acknowledged(at(time));
    log.gaps.finished(log.ended);
    log.acknowledged = {{1, 2}, {4, 5}};
    log.unknown = {{3, 3}};
    log.connects = 2;
    log.hosts = {{at(1ms), "a:1"}, {at(1500ms), "b:2"}};
    log.errors = {{"08", 1}};
    return log;
}

TEST(GapLog, MeasuresBetweenAcknowledgementsAndKeepsTheLongOnes) {
    RunLog log = some_run();
    ASSERT_EQ(log.gaps.noteworthy().size(), 2u);
    EXPECT_EQ(log.gaps.noteworthy()[0].length, 1500ms);
    EXPECT_EQ(log.gaps.noteworthy()[0].start, at(20ms));
}

TEST(GapLog, CountsAnOutageThatLastsUntilTheEnd) {
    RunLog log = some_run();
    EXPECT_EQ(log.gaps.longest().start, at(1530ms));
    EXPECT_EQ(log.gaps.longest().length, 3470ms);
}

TEST(GapLog, HasNoGapBeforeTheFirstAcknowledgement) {
    GapLog gaps(100ms);
    gaps.finished(at(10s));
    EXPECT_TRUE(gaps.noteworthy().empty());
    EXPECT_EQ(gaps.first(), std::nullopt);
}

TEST(Report, IsJsonThatAVerifyCanRead) {
    Check check = Findings{.lost = {{2, 2}}, .duplicated = {}, .unknown_present = {{3, 3}}, .rows = 4};
    std::string text = run_report(some_run(), check);
    auto document = parse_json_object(text);
    ASSERT_TRUE(document) << document.error().message << text;
    EXPECT_EQ(document->at("lost"), Json(1));
    EXPECT_EQ(document->at("acknowledged"), Json(4));
    EXPECT_EQ(document->at("unknown_present"), Json(1));
    EXPECT_EQ(document->at("gaps_over_100ms").as_array().size(), 2u);
    EXPECT_DOUBLE_EQ(document->at("gaps_over_100ms").at(0).at(0).as_double(), 1.5);
    EXPECT_DOUBLE_EQ(document->at("last_ack_monotonic_s").as_double(), 1001.53);

    auto expected = read_report(text, "run.json");
    ASSERT_TRUE(expected) << expected.error().message;
    EXPECT_EQ(expected->run, "r\"1");
    EXPECT_EQ(expected->acknowledged, (ValueSet{{1, 2}, {4, 5}}));
    EXPECT_EQ(expected->unknown, (ValueSet{{3, 3}}));
}

TEST(Report, LeavesTheCountsOpenWhenTheCheckWasImpossible) {
    auto document = parse_json_object(run_report(some_run(), fail("no host takes writes")));
    ASSERT_TRUE(document);
    EXPECT_EQ(document->at("checked"), Json(false));
    EXPECT_TRUE(document->at("lost").is_null());
}

TEST(Report, RefusesWhatIsNoReport) {
    for (auto text :
         {"", "[]", "{}", R"({"run":"a","table":"t","acknowledged_values":[[2,1]],"unknown_values":[]})",
          R"({"run":"a","table":"t","acknowledged_values":[[1,2],[2,3]],"unknown_values":[]})",
          R"({"run":"a","table":"t","acknowledged_values":[[1]],"unknown_values":[]})"})
        EXPECT_FALSE(read_report(text, "x.json")) << text;
}

}  // namespace
}  // namespace pgherd::writes
