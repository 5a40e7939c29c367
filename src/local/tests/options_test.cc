// Command lines, and the mistakes in them.
#include "local/options.h"

#include <gtest/gtest.h>

namespace pgherd::local {
namespace {

Result<UpOptions> up(std::vector<std::string> args) {
    return parse_up(args);
}

TEST(LocalOptions, NothingGivenMeansNothingSaid) {
    auto options = up({});
    ASSERT_TRUE(options);
    EXPECT_TRUE(options->dir.empty());
    EXPECT_FALSE(options->members);
    EXPECT_FALSE(options->detach);
    EXPECT_EQ(options->timeout, std::chrono::seconds(60));
}

TEST(LocalOptions, ValuesComeWithABlankOrAnEqualsSign) {
    auto options =
        up({"--members", "5", "--dir=/srv/x", "--port=6000,6001", "--detach", "--timeout", "1min"});
    ASSERT_TRUE(options) << options.error().message;
    EXPECT_EQ(options->members, 5);
    EXPECT_EQ(options->dir, "/srv/x");
    EXPECT_EQ(options->ports, (std::vector<std::uint16_t>{6000, 6001}));
    EXPECT_TRUE(options->detach);
    EXPECT_EQ(options->timeout, std::chrono::minutes(1));
}

TEST(LocalOptions, MistakesNameTheOption) {
    const std::pair<std::vector<std::string>, std::string> mistakes[] = {
        {{"--members", "0"}, "--members: \"0\" is not between 1 and 9"},
        {{"--members", "ten"}, "--members: \"ten\" is not between 1 and 9"},
        {{"--members"}, "--members needs a value"},
        {{"--dir", ""}, "--dir needs a value"},
        {{"--dir="}, "--dir needs a value"},
        {{"--port", "5432,x"}, "--port: \"x\" is no port (expected 1 to 65535)"},
        {{"--port", "70000"}, "--port: \"70000\" is no port (expected 1 to 65535)"},
        {{"--port", "5432,5432"}, "--port: port 5432 is named twice"},
        {{"--detach=yes"}, "--detach takes no value"},
        {{"--timeout", "-1"}, "--timeout: \"-1\" is no number of seconds"},
        {{"--purge"}, "there is no option \"--purge\""},
        {{"here"}, "there is no option \"here\""},
    };
    for (const auto& [args, message] : mistakes) {
        auto options = up(args);
        ASSERT_FALSE(options) << message;
        EXPECT_EQ(options.error().message, message);
    }
}

TEST(LocalOptions, DownMayPurge) {
    std::vector<std::string> args{"--purge", "--dir", "/srv/x"};
    auto options = parse_down(args);
    ASSERT_TRUE(options);
    EXPECT_TRUE(options->purge);
    EXPECT_EQ(options->dir, "/srv/x");
}

}  // namespace
}  // namespace pgherd::local
