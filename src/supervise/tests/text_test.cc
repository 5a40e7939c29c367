// Go's words for durations and times, and commands as services write them.
#include <gtest/gtest.h>

#include "supervise/command.h"
#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST(GoDuration, IsWrittenAndReadAsGoDoes) {
    for (const auto& [duration, text] :
         std::vector<std::pair<Duration, std::string>>{{0s, "0s"},
                                                       {1500ms, "1.5s"},
                                                       {168h, "168h0m0s"},
                                                       {300ms, "300ms"},
                                                       {90s, "1m30s"},
                                                       {1us, "1µs"},
                                                       {-2s, "-2s"},
                                                       {1ns, "1ns"},
                                                       {3661s + 1ms, "1h1m1.001s"}}) {
        EXPECT_EQ(go_duration(duration), text);
        EXPECT_EQ(parse_go_duration(text), duration);
    }
    EXPECT_EQ(parse_go_duration("4.000s"), Duration(4s));
    EXPECT_EQ(parse_go_duration("0"), Duration(0));
    EXPECT_EQ(parse_go_duration(".5s"), Duration(500ms));
    for (const std::string text : {"", "5", "s", "1x", "-", "1.s.", "99999999h", "zz"})
        EXPECT_FALSE(parse_go_duration(text)) << text;
    for (const std::string text : {"876000h", "900000h", "2562047h"})  // the last is all that Go can count
        EXPECT_EQ(parse_go_duration(text), kLongestDuration) << text;
    EXPECT_EQ(parse_go_duration("-2562047h"), -kLongestDuration);
    EXPECT_EQ(parse_go_duration("zz").error().message, "time: invalid duration \"zz\"");
}

TEST(Rfc3339, IsWrittenWithoutTrailingZerosAndReadWithAnyZone) {
    const WallTime time = *parse_rfc3339("2026-11-21T07:46:40.25Z");
    EXPECT_EQ(rfc3339(time), "2026-11-21T07:46:40.25Z");
    EXPECT_EQ(rfc3339_seconds(time), "2026-11-21T07:46:40Z");
    EXPECT_EQ(parse_rfc3339("2026-11-21T09:46:40.250000000+02:00"), time);
    for (const std::string text : {"", "2026-11-21", "2026-11-21T07:46:40", "2026-13-21T07:46:40Z",
                                   "2026-11-21T07:46:40.Z", "2026-11-21T07:46:40+2"})
        EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(SplitCommand, FollowsTheShellWithoutExpandingAnything) {
    EXPECT_EQ(split_command("a 'b c' \"d \\\" e\" f\\ g $HOME # h\n i"),
              (Words{"a", "b c", "d \" e", "f g", "$HOME", "i"}));
    EXPECT_EQ(split_command("a#b ''"), (Words{"a#b", ""}));
    EXPECT_EQ(split_command("  "), Words{});
    EXPECT_EQ(split_command("'a").error().message, "EOF found when expecting closing quote");
    EXPECT_FALSE(split_command("a\\"));
    const Words odd{"it's", "", "a b", "x\ny", "\\"};
    EXPECT_EQ(split_command(join_command(odd)), odd);
}

TEST(ServiceCommand, HasDefaultArgumentsInBrackets) {
    const auto command = parse_service_command("a", "c -x [ --default 'two words' ]");
    ASSERT_TRUE(command);
    EXPECT_EQ(command->base, (Words{"c", "-x"}));
    EXPECT_EQ(command->words(), (Words{"c", "-x", "--default", "two words"}));
    for (const std::string wrong : {"", "[ a ]", "a [ b [ c ] ]", "a ]", "a [ b ] c", "a [ b"})
        EXPECT_FALSE(parse_service_command("a", wrong)) << wrong;
}

}  // namespace
}  // namespace pgherd::supervise
