#include "agent/owed_reload.h"

#include <gtest/gtest.h>

namespace pgherd::agent {
namespace {

using namespace std::chrono_literals;

Instant at(Duration since_start) {
    return Instant(1000s) + since_start;
}

TEST(OwedReload, IsDueOnceForAChange) {
    OwedReload reload;
    EXPECT_FALSE(reload.due(at(0s)));
    reload.ask();
    EXPECT_TRUE(reload.due(at(0s)));
    reload.begin();
    reload.succeeded();
    EXPECT_FALSE(reload.due(at(1h)));
}

TEST(OwedReload, IsRepeatedWithGrowingDistanceUntilItSucceeds) {
    OwedReload reload;
    reload.ask();
    Instant now = at(0s);
    for (const Duration distance : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        ASSERT_TRUE(reload.due(now));
        reload.begin();
        EXPECT_FALSE(reload.due(now)) << "one at a time";
        reload.failed("no space left", now);
        EXPECT_FALSE(reload.due(now + distance - 1ms));
        now += distance;
    }
    EXPECT_TRUE(reload.due(now));
    reload.begin();
    reload.succeeded();
    EXPECT_FALSE(reload.due(now + 1h));
}

TEST(OwedReload, TellsEachCauseOnce) {
    OwedReload reload;
    const auto fails = [&](const std::string& cause) {
        reload.begin();
        return reload.failed(cause, at(0s));
    };
    reload.ask();
    EXPECT_TRUE(fails("no space left"));
    EXPECT_FALSE(fails("no space left"));
    EXPECT_TRUE(fails("read-only file system"));
    reload.begin();
    reload.succeeded();
    reload.ask();
    EXPECT_TRUE(fails("read-only file system"));
}

TEST(OwedReload, IsDueAtOnceForAChangeDuringOneThatFails) {
    OwedReload reload;
    reload.ask();
    reload.begin();
    reload.ask();
    reload.failed("no space left", at(0s));
    EXPECT_TRUE(reload.due(at(0s)));
}

}  // namespace
}  // namespace pgherd::agent
