#include "supervisor/options.h"

#include <gtest/gtest.h>

namespace pgherd::supervisor {
namespace {

TEST(Options, AreReadAsPebbleReadsThem) {
    const auto good = parse_options({"run", "--create-dirs", "--http", ":4000", "-v", "--identities", "file",
                                     "--args", "a", "x", "--hold", ";", "--args", "b", "y"});
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_TRUE(good->options.create_directories);
    EXPECT_FALSE(good->options.hold);
    EXPECT_EQ(good->options.http, ":4000");
    EXPECT_EQ(good->options.identities, "file");
    EXPECT_EQ(good->options.arguments.at("a"), (std::vector<std::string>{"x", "--hold"}));
    EXPECT_EQ(good->options.arguments.at("b"), (std::vector<std::string>{"y"}));
}

TEST(Options, OfEnterEndWhereItsCommandBegins) {
    const auto called = parse_options({"enter", "--run", "exec", "--hold", "x"});
    ASSERT_TRUE(called);
    EXPECT_TRUE(called->options.enter_run);
    EXPECT_EQ(called->options.inner, (std::vector<std::string>{"exec", "--hold", "x"}));
    EXPECT_FALSE(called->options.hold);
}

TEST(Options, ThatDoNotExistAreRefused) {
    EXPECT_FALSE(parse_options({"run", "--nope"}));
    EXPECT_FALSE(parse_options({"run", "word"}));
    EXPECT_FALSE(parse_options({"run", "--http"}));
    EXPECT_FALSE(parse_options({"run", "--https", ":1"}));
}

}  // namespace
}  // namespace pgherd::supervisor
