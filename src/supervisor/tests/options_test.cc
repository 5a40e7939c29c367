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

TEST(Options, OfLogFilesTakeSizesWithAUnit) {
    const auto plain = parse_options({"run"});
    ASSERT_TRUE(plain);
    EXPECT_TRUE(plain->options.log_directory.empty());
    const auto good = parse_options({"run", "--log-dir=/logs", "--log-size", "500k", "--log-keep", "2"});
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_EQ(good->options.log_directory, "/logs");
    EXPECT_EQ(good->options.log_size, 500u * 1024);
    EXPECT_EQ(good->options.log_keep, 2u);
    EXPECT_EQ(parse_options({"run", "--log-size", "1G"})->options.log_size, 1u << 30);
    EXPECT_EQ(parse_options({"run", "--log-size", "4096"})->options.log_size, 4096u);
    for (const char* wrong : {"", "0", "k", "-1", "1.5M", "10MB", "99999999999G"})
        EXPECT_FALSE(parse_options({"run", "--log-size", wrong})) << wrong;
    EXPECT_FALSE(parse_options({"run", "--log-keep", "many"}));
    EXPECT_FALSE(parse_options({"run", "--log-dir"}));
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
