// JSON bodies of requests: fields by type, and the first mistake told.
#include "supervisor/json_body.h"

#include <gtest/gtest.h>

namespace pgherd::supervisor {
namespace {

TEST(JsonBody, GivesFieldsByTypeAndTakesNullForMissing) {
    auto body =
        JsonBody::parse(R"({"t":"x","f":true,"n":7,"l":["a","b"],"m":{"k":"v"},"o":[{"t":"y"}],"z":null})");
    ASSERT_TRUE(body);
    EXPECT_EQ(body->text("t"), "x");
    EXPECT_TRUE(body->flag("f"));
    EXPECT_EQ(body->number("n"), 7);
    EXPECT_EQ(body->texts("l"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(body->text_map("m").at("k"), "v");
    EXPECT_EQ(body->objects("o").at(0).text("t"), "y");
    EXPECT_EQ(body->text("z") + body->text("none"), "");
    EXPECT_FALSE(body->number("z") || body->flag("z") || body->has("z"));
    EXPECT_TRUE(body->texts("z").empty() && body->objects("none").empty());
    EXPECT_TRUE(body->status());
}

TEST(JsonBody, KeepsTheFirstMistake) {
    auto body = JsonBody::parse(R"({"t":1,"n":"x","l":[1]})");
    EXPECT_EQ(body->text("t"), "");
    EXPECT_FALSE(body->number("n"));
    EXPECT_TRUE(body->texts("l").empty());
    EXPECT_EQ(body->status().error().message,
              "json: cannot unmarshal number into Go struct field .t of type string");
    EXPECT_FALSE(JsonBody::parse("[]"));
    EXPECT_FALSE(JsonBody::parse("{"));
    EXPECT_FALSE(JsonBody::parse(""));
    EXPECT_FALSE(JsonBody::parse("{\"n\":99999999999}")->number("n"));
}

}  // namespace
}  // namespace pgherd::supervisor
