#include "rollout/rollout.h"

#include <gtest/gtest.h>

namespace pgherd::rollout {
namespace {

PodFacts standby(const char* name, bool updated) {
    return {.name = MemberName(name), .updated = updated, .well = true, .can_lead = true};
}
PodFacts primary(const char* name, bool updated) {
    return {.name = MemberName(name), .updated = updated, .leads = true, .well = true};
}

TEST(Rollout, HasNothingToDoWhenEveryPodIsNew) {
    const Step step =
        next_step({3, false, {primary("pg-0", true), standby("pg-1", true), standby("pg-2", true)}});
    EXPECT_TRUE(std::holds_alternative<Nothing>(step.what));
    EXPECT_TRUE(step.finished);
}

TEST(Rollout, ReplacesStandbysFirstWhereverThePrimaryIs) {
    const Step step =
        next_step({3, false, {standby("pg-0", false), standby("pg-1", false), primary("pg-2", false)}});
    EXPECT_EQ(std::get<Replace>(step.what).pod, MemberName("pg-1"));
    EXPECT_FALSE(step.finished);
}

TEST(Rollout, WaitsUntilAReplacedPodIsBackAtFullStrength) {
    auto coming = standby("pg-1", true);
    coming.well = false;
    EXPECT_TRUE(std::holds_alternative<Nothing>(
        next_step({3, false, {standby("pg-0", false), coming, primary("pg-2", false)}}).what));
    EXPECT_TRUE(std::holds_alternative<Nothing>(
        next_step({3, false, {standby("pg-0", false), primary("pg-2", false)}}).what));
    auto leaving = standby("pg-1", false);
    leaving.leaving = true;
    EXPECT_TRUE(std::holds_alternative<Nothing>(
        next_step({3, false, {standby("pg-0", false), leaving, primary("pg-2", false)}}).what));
}

TEST(Rollout, HandsOverOnceAndReplacesTheOldPrimaryLast) {
    const Step step =
        next_step({3, false, {standby("pg-0", true), standby("pg-1", true), primary("pg-2", false)}});
    EXPECT_EQ(std::get<Switchover>(step.what).to, MemberName("pg-1"));
    const Step last =
        next_step({3, false, {standby("pg-0", true), primary("pg-1", true), standby("pg-2", false)}});
    EXPECT_EQ(std::get<Replace>(last.what).pod, MemberName("pg-2"));
}

TEST(Rollout, HandsOverOnlyToWhoMayLead) {
    auto asynchronous = standby("pg-1", true);
    asynchronous.can_lead = false;
    EXPECT_EQ(std::get<Switchover>(
                  next_step({3, false, {standby("pg-0", true), asynchronous, primary("pg-2", false)}}).what)
                  .to,
              MemberName("pg-0"));
    EXPECT_TRUE(
        std::holds_alternative<Nothing>(next_step({2, false, {asynchronous, primary("pg-2", false)}}).what));
}

TEST(Rollout, BeginsWithAPodThatTheOldTemplateHasBroken) {
    auto broken = standby("pg-0", false);
    broken.well = false;
    auto also_broken = standby("pg-2", true);
    EXPECT_EQ(
        std::get<Replace>(next_step({3, false, {broken, primary("pg-1", false), also_broken}}).what).pod,
        MemberName("pg-0"));
}

TEST(Rollout, ReplacesTheOnlyMemberWithoutASwitchover) {
    EXPECT_EQ(std::get<Replace>(next_step({1, false, {primary("pg-0", false)}}).what).pod,
              MemberName("pg-0"));
}

TEST(Rollout, RestsWhileTheClusterIsPaused) {
    const Step step = next_step({2, true, {primary("pg-0", false), standby("pg-1", false)}});
    EXPECT_TRUE(std::holds_alternative<Nothing>(step.what));
}

}  // namespace
}  // namespace pgherd::rollout
