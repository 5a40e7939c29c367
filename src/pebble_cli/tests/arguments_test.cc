#include "pebble_cli/arguments.h"

#include <gtest/gtest.h>

namespace pgherd::pebble_cli {
namespace {

constexpr OptionSpec kOptions[] = {{"--follow", "-f", false, ""},
                                   {"-n", "", true, ""},
                                   {"--level", "", true, "", "alive|ready"},
                                   {"--env", "", true, ""}};

Result<Arguments> read(std::vector<std::string> given, bool leading_only = false) {
    return Arguments::read(kOptions, given, leading_only);
}
using Words = std::vector<std::string>;

TEST(Arguments, StandAnywhereAmongTheWordsInEveryForm) {
    const auto got = read({"a", "-n5", "--level=ready", "b", "-f", "--env", "A=1", "--env=B=2"});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->words(), (Words{"a", "b"}));
    EXPECT_EQ(got->value("-n"), "5");
    EXPECT_EQ(got->value("--level"), "ready");
    EXPECT_TRUE(got->has("--follow"));
    EXPECT_EQ(got->values("--env"), (Words{"A=1", "B=2"}));
}

TEST(Arguments, OfOneLetterMayBeJoined) {
    const auto got = read({"-fn", "all"});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(got->has("--follow"));
    EXPECT_EQ(got->value("-n"), "all");
}

TEST(Arguments, EndAtTwoDashesOrWhereACommandBegins) {
    EXPECT_EQ(read({"-f", "--", "-n", "x"})->words(), (Words{"-n", "x"}));
    EXPECT_EQ(read({"-f", "ls", "-l", "--", "x"}, true)->words(), (Words{"ls", "-l", "--", "x"}));
    EXPECT_EQ(read({"-n", "5", "--", "ls", "-l"}, true)->words(), (Words{"ls", "-l"}));
    EXPECT_EQ(read({"-"})->words(), (Words{"-"}));
}

TEST(Arguments, ThatAreWrongAreNamed) {
    EXPECT_EQ(read({"--bogus"}).error().message, "unknown flag `bogus'");
    EXPECT_EQ(read({"-x"}).error().message, "unknown flag `x'");
    EXPECT_EQ(read({"-n"}).error().message, "expected argument for flag `-n'");
    EXPECT_EQ(read({"--level=x"}).error().message,
              "Invalid value `x' for option `--level'. Allowed values are: alive or ready");
    EXPECT_FALSE(read({"--follow=1"}));
}

}  // namespace
}  // namespace pgherd::pebble_cli
