#include "supervise/order.h"

#include <gtest/gtest.h>

#include "supervise/layer_yaml.h"

namespace pgherd::supervise {
namespace {

Plan plan(const std::string& services) {
    return parse_layer(0, "x", "services: {" + services + "}")->sections;
}

// "a b(0) c" with the lane and the positions waited for: "a/0 b/0<0".
std::string text(const Result<std::vector<OrderedService>>& order) {
    if (!order) return order.error().message;
    std::string text;
    for (const OrderedService& entry : *order) {
        text += (text.empty() ? "" : " ") + entry.name + "/" + std::to_string(entry.lane);
        for (const std::size_t before : entry.waits_for) text += "<" + std::to_string(before);
    }
    return text;
}

TEST(StartOrder, PutsWhatIsRequiredIntoTheSameLaneAndFirst) {
    const Plan p = plan("a: {command: c, requires: [b]}, b: {command: c}, c: {command: c}");
    EXPECT_EQ(text(start_order(p, {"a"})), "b/0 a/0<0");
    EXPECT_EQ(text(start_order(p, {"c", "b"})), "b/0 c/1");
}

TEST(StartOrder, HonoursAfterAndBeforeBetweenLanes) {
    const Plan p = plan("a: {command: c}, b: {command: c, after: [a]}, c: {command: c, before: [a]}");
    EXPECT_EQ(text(start_order(p, {"b", "a", "c"})), "c/0 a/1<0 b/2<1");
    EXPECT_EQ(text(start_order(p, {"b"})), "b/0");
}

TEST(StartOrder, LetsBeforeDecideAgainstRequires) {
    const Plan p = plan("a: {command: c, requires: [b], before: [b]}, b: {command: c}");
    EXPECT_EQ(text(start_order(p, {"a"})), "a/0 b/0<0");
}

TEST(StartOrder, SurvivesServicesThatRequireEachOther) {
    const Plan p = plan("a: {command: c, requires: [b]}, b: {command: c, requires: [a]}");
    EXPECT_EQ(start_order(p, {"a"})->size(), 2u);
}

TEST(StopOrder, IsTheOtherWayRoundAndTakesDependantsAlong) {
    const Plan p = plan(
        "a: {command: c}, b: {command: c, requires: [a], after: [a]}, c: {command: c, requires: [b], after: "
        "[b]}");
    EXPECT_EQ(text(stop_order(p, {"a"})), "c/0 b/0<0 a/0<1");
    EXPECT_EQ(text(stop_order_of_only(p, {"a"})), "a/0");
}

TEST(Order, NamesWhatDoesNotExist) {
    EXPECT_EQ(text(start_order(plan("a: {command: c}"), {"nope"})), "service \"nope\" does not exist");
}

}  // namespace
}  // namespace pgherd::supervise
