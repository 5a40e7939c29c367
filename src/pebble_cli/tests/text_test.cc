#include "pebble_cli/text.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "codec/json.h"

namespace pgherd::pebble_cli {
namespace {

using namespace std::chrono;

class Times : public testing::Test {
  protected:
    Times() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
    const WallTime now_ = sys_days(2026y / 3 / 1) + hours(1) + minutes(30);
};

TEST(Tables, HaveColumnsOfAtLeastFiveCharactersAndNothingBehindTheLast) {
    EXPECT_EQ(table({{"ID", "Name", "Summary"}, {"1", "a", "x"}}), "ID   Name  Summary\n1    a     x\n");
    EXPECT_EQ(table({{"Service", "Current"}, {"grüße", "active"}}), "Service  Current\ngrüße    active\n");
}

TEST_F(Times, AreSaidRelativelyToTheDayOfTheCalendar) {
    EXPECT_EQ(human_time(now_ - hours(1), now_), "today at 00:30 UTC");
    EXPECT_EQ(human_time(now_ - hours(2), now_), "yesterday at 23:30 UTC");
    EXPECT_EQ(human_time(now_ - hours(50), now_), "3 days ago, at 23:30 UTC");
    EXPECT_EQ(human_time(now_ + hours(24), now_), "tomorrow at 01:30 UTC");
    EXPECT_EQ(human_time(now_ + hours(72), now_), "in 3 days, at 01:30 UTC");
    EXPECT_EQ(human_time(now_ - days(61), now_), "2025-12-30");
}

TEST_F(Times, OfTheApiAreShownAbsoluteOnRequestAndAsADashWhenAbsent) {
    EXPECT_EQ(shown_time("2026-03-01T00:30:00.123456789Z", false, now_), "today at 00:30 UTC");
    EXPECT_EQ(shown_time("2026-03-01T01:30:00.5+01:00", true, now_), "2026-03-01T00:30:00Z");
    EXPECT_EQ(shown_time("", false, now_), "-");
}

TEST(Sizes, HaveThreeDigitsAtTheMost) {
    EXPECT_EQ(shown_size(0), "0B");
    EXPECT_EQ(shown_size(999), "999B");
    EXPECT_EQ(shown_size(1500), "1.5kB");
    EXPECT_EQ(shown_size(123456), "123kB");
    EXPECT_EQ(shown_size(999'960), "1.0MB");
    EXPECT_EQ(shown_size(16 * 1024 * 1024), "16.8MB");
}

TEST(Modes, AreShownAsLsDoes) {
    EXPECT_EQ(shown_mode("file", "644"), "-rw-r--r--");
    EXPECT_EQ(shown_mode("directory", "750"), "drwxr-x---");
    EXPECT_EQ(shown_mode("symlink", "777"), "lrwxrwxrwx");
}

TEST(Yaml, IsIndentedByFourAndQuotesWhatWouldBeSomethingElse) {
    EXPECT_EQ(yaml(*parse_json(
                  R"({"id":"1","k":3,"on":"yes","data":{"a":"b"},"list":[{"x":1,"z":2},"z"],"none":{}})")),
              "id: \"1\"\nk: 3\n\"on\": \"yes\"\ndata:\n    a: b\nlist:\n    - x: 1\n      z: 2\n    - "
              "z\nnone: {}\n");
    EXPECT_EQ(yaml(*parse_json("[]")), "[]\n");
}

}  // namespace
}  // namespace pgherd::pebble_cli
