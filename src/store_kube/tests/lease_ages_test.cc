// When an observer holds a lease for ended.
#include "store_kube/lease_ages.h"

#include <gtest/gtest.h>

namespace pgherd::kube {
namespace {

using namespace std::chrono_literals;

const LeaseId kLease(7);

Instant at(Duration time) {
    return Instant(time);
}

TEST(LeaseAges, CountFromWhenTheChangeWasSeen) {
    LeaseAges ages;
    EXPECT_FALSE(ages.next());
    ages.saw(kLease, "1", 10s, at(100s));
    EXPECT_EQ(ages.next()->second, at(110s));
    ages.saw(kLease, "1", 10s, at(105s));
    EXPECT_EQ(ages.next()->second, at(110s)) << "seeing the same again is no renewal";
    ages.saw(kLease, "2", 10s, at(106s));
    EXPECT_EQ(ages.next()->second, at(116s));
    ages.saw(kLease, "2", 5s, at(107s));
    EXPECT_EQ(ages.next()->second, at(111s)) << "another time to live";
    ages.gone(kLease);
    EXPECT_FALSE(ages.next());
}

TEST(LeaseAges, TheFirstToEndComesFirst) {
    LeaseAges ages;
    ages.saw(kLease, "1", 10s, at(0s));
    ages.saw(LeaseId(8), "1", 3s, at(2s));
    EXPECT_EQ(ages.next()->first, LeaseId(8));
}

TEST(LeaseAges, TimeWithoutAnAnswerDoesNotCount) {
    LeaseAges ages;
    ages.answered(at(100s));
    ages.saw(kLease, "1", 10s, at(100s));
    ages.silent(at(102s));
    ages.silent(at(200s));
    EXPECT_TRUE(ages.is_silent());
    ages.answered(at(402s));
    EXPECT_EQ(ages.next()->second, at(410s)) << "8 s are left, as when the API fell silent";
    ages.answered(at(405s));
    EXPECT_EQ(ages.next()->second, at(410s));
}

TEST(LeaseAges, AfterAnOutageHalfTheTimeIsLeft) {
    LeaseAges ages;
    ages.saw(kLease, "1", 10s, at(100s));
    ages.silent(at(109s));
    ages.answered(at(300s));
    EXPECT_EQ(ages.next()->second, at(305s));
}

TEST(LeaseAges, AServerThatFailsNowAndThenKeepsNothingAlive) {
    LeaseAges ages;
    ages.saw(kLease, "1", 10s, at(0s));
    Duration time{};
    while (time < 9s) {
        time += 500ms;
        ages.silent(at(time));  // refused, and at once answered by another
        ages.answered(at(time + 10ms));
    }
    EXPECT_LE(ages.next()->second, at(10s + 18 * 10ms));
}

// Two observers, of which one sees everything later and counts on a clock with another beginning: the holder,
// who counts from before its renewal, is always the first to know.
TEST(LeaseAges, NoObserverIsEarlierThanTheHolder) {
    for (const Duration offset : {0s, 1000000s})
        for (const Duration delay : {0ms, 700ms}) {
            LeaseAges ages;
            Instant holder_until;
            for (int i = 0; i < 20; ++i) {
                const Instant sent = at(i * 3s);
                holder_until = sent + 10s;
                ages.saw(kLease, std::to_string(i), 10s, sent + delay + offset);
            }
            EXPECT_GE(ages.next()->second - offset, holder_until);
        }
}

}  // namespace
}  // namespace pgherd::kube
