#include "codec/json.h"

#include <gtest/gtest.h>

namespace pgherd {
namespace {

JsonObject object(std::string_view text) {
    return parse_json_object(text).value();
}

TEST(Json, WritesCompactTextAsPatroniDoes) {
    auto text =
        R"({"a":[1,-2,0.9,1e+21,5.0],"b":{},"c":[],"d":null,"e":true,"f":"x\ny","g":18446744073709551615})";
    EXPECT_EQ(to_text(parse_json(text).value()), text);
    EXPECT_EQ(to_text(parse_json(" { \"a\" : [ 1 , 2 ] } \n").value()), R"({"a":[1,2]})");
}

TEST(Json, WritesOneKeyALineForPeople) {
    EXPECT_EQ(
        to_pretty(object(R"({"a":{"b":[1,"x"]},"c":{},"d":[]})")),
        "{\n  \"a\": {\n    \"b\": [\n      1,\n      \"x\"\n    ]\n  },\n  \"c\": {},\n  \"d\": []\n}");
}

TEST(Json, SaysWhereItIsWrong) {
    EXPECT_EQ(parse_json("{\"a\": 1,\n \"b\" 2}").error().message,
              "cannot read JSON: syntax error at line 2, column 6");
    EXPECT_EQ(parse_json("{}x").error().message, "cannot read JSON: extra data at line 1, column 3");
    EXPECT_EQ(parse_json("").error().message, "cannot read JSON: incomplete JSON at line 1, column 1");
    EXPECT_EQ(parse_json_object("[]").error().message, "cannot read JSON: expected an object");
}

TEST(Json, BoundsNesting) {
    EXPECT_FALSE(parse_json(std::string(100000, '[')));
    EXPECT_TRUE(parse_json(std::string(50, '[') + std::string(50, ']')));
}

TEST(Json, RefusesBrokenText) {
    for (auto text : {"{", "[1", "\"abc", "nul", "{\"a\"}", "\"\xff\"", "1 2", "{a:1}", "'a'", "[1,]"})
        EXPECT_FALSE(parse_json(text)) << text;
    // Nothing that cannot be written again.
    for (auto text : {"1e999", "[-1e999]", R"({"a":{"b":1e999}})"}) EXPECT_FALSE(parse_json(text)) << text;
}

TEST(MergePatch, MergesDeletesAndReplaces) {
    auto document = object(R"({"ttl":30,"postgresql":{"parameters":{"a":"1","b":"2"}},"x":[1]})");
    EXPECT_TRUE(merge_patch(
        document,
        object(R"({"ttl":null,"postgresql":{"parameters":{"a":3,"c":4}},"x":[2],"y":{"z":null}})")));
    EXPECT_EQ(to_text(document),
              R"({"postgresql":{"parameters":{"a":3,"b":"2","c":4}},"x":[2],"y":{"z":null}})");
}

TEST(MergePatch, SaysWhetherAnythingChanged) {
    auto document = object(R"({"ttl":30,"a":{"b":true}})");
    EXPECT_FALSE(merge_patch(document, object(R"({"ttl":30,"a":{"b":true},"gone":null})")));
    EXPECT_FALSE(merge_patch(document, object(R"({"ttl":"30"})")));
    EXPECT_TRUE(merge_patch(document, object(R"({"a":{"b":false}})")));
    EXPECT_TRUE(merge_patch(document, object(R"({"a":1})")));
    EXPECT_TRUE(merge_patch(document, object(R"({"a":{"b":1}})")));
}

}  // namespace
}  // namespace pgherd
