// What a lost answer can still mean.
#include "store_kube/writer.h"

#include <gtest/gtest.h>

namespace pgherd::kube {
namespace {

Known now(std::int64_t version, std::string write, std::int64_t base) {
    Known known;
    known.reading.version = version;
    known.reading.write = std::move(write);
    known.reading.base = base;
    return known;
}

TEST(Outcome, IsToldByTheObject) {
    const auto outcome = [](const Known& known) { return outcome_of("mine", 10, "old", &known); };
    EXPECT_EQ(outcome(now(12, "mine", 10)), Outcome::done);
    EXPECT_EQ(outcome(now(14, "mine", 10)), Outcome::done) << "a foreign change came after it";
    EXPECT_EQ(outcome(now(10, "old", 5)), Outcome::open) << "it may still arrive";
    EXPECT_EQ(outcome(now(13, "other", 10)), Outcome::not_done) << "another write took the version";
    EXPECT_EQ(outcome(now(13, "old", 5)), Outcome::not_done) << "a foreign change took the version";
    EXPECT_EQ(outcome(now(20, "other", 15)), Outcome::unknown);
}

TEST(Outcome, OfACreationIsOpenUntilTheObjectIsThere) {
    EXPECT_EQ(outcome_of("mine", 0, "", nullptr), Outcome::open);
    const Known others = now(12, "other", 0);
    EXPECT_EQ(outcome_of("mine", 0, "", &others), Outcome::not_done);
    EXPECT_EQ(outcome_of("mine", 10, "old", nullptr), Outcome::unknown) << "changed, and then deleted?";
}

}  // namespace
}  // namespace pgherd::kube
