#include "codec/yaml.h"

#include <gtest/gtest.h>

#include "codec/agent_config.h"
#include "codec/json.h"

namespace pgherd {
namespace {

std::string json_of(std::string_view yaml) {
    auto json = parse_yaml(yaml, "f.yml");
    return json ? to_text(*json) : json.error().message;
}

TEST(Yaml, TakesPlainWordsAsPyYamlDoes) {
    EXPECT_EQ(json_of("[on, Off, yes, No, TRUE, false, y, oN]"),
              R"([true,false,true,false,true,false,"y","oN"])");
    EXPECT_EQ(json_of("[~, null, NULL, '']"), R"([null,null,null,""])");
    EXPECT_EQ(json_of("[1, -2, +3, 0, 9223372036854775807, 9223372036854775808]"),
              R"([1,-2,3,0,9223372036854775807,"9223372036854775808"])");
    EXPECT_EQ(json_of("[0.9, 5., .5, 1.5e+3, 1e3, 1.5e3, .inf, 1.2.3, '.']"),
              R"([0.9,5.0,0.5,1500.0,"1e3","1.5e3",".inf","1.2.3","."])");
    EXPECT_EQ(json_of("[007, 0x1F, 1_000, 2026-01-01, 10.0.0.1, 30min]"),
              R"(["007","0x1F","1_000","2026-01-01","10.0.0.1","30min"])");
}

TEST(Yaml, KeepsQuotedWordsAsText) {
    EXPECT_EQ(json_of("['on', \"5\", !!str 5, 'null']"), R"(["on","5","5","null"])");
    EXPECT_EQ(json_of("a: |\n  x\n  y\n"), R"({"a":"x\ny\n"})");
}

TEST(Yaml, FollowsAliasesAndMergeKeys) {
    EXPECT_EQ(json_of("a: &x {p: 1, q: 2}\nb: *x\n"), R"({"a":{"p":1,"q":2},"b":{"p":1,"q":2}})");
    EXPECT_EQ(json_of("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n"),
              R"({"a":{"p":1,"q":2},"b":{"q":3,"p":1}})");
    EXPECT_EQ(json_of("a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc:\n  <<: [*x, *y]\n"),
              R"({"a":{"p":1},"b":{"p":2,"q":2},"c":{"p":1,"q":2}})");
}

TEST(Yaml, BoundsWhatAliasesBecome) {
    std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
    for (char c = 'b'; c <= 'i'; ++c) {
        bomb += std::string(1, c) + ": &" + c + " [";
        for (int i = 0; i < 10; ++i) bomb += std::string("*") + char(c - 1) + ",";
        bomb += "]\n";
    }
    EXPECT_NE(json_of(bomb).find("too large"), std::string::npos);
    EXPECT_NE(json_of("a: &x [*x]").find("nested too deeply"), std::string::npos);
    EXPECT_NE(json_of("a: &x\n  <<: *x\n").find("f.yml"), std::string::npos);
    EXPECT_FALSE(parse_yaml(std::string(200000, '['), "f.yml"));
    EXPECT_FALSE(parse_yaml(std::string(200000, '{'), "f.yml"));
}

TEST(Yaml, TakesTheLastOfEqualKeysAsPyYamlDoes) {
    EXPECT_EQ(json_of("a: 1\nb: 2\na: 3\n"), R"({"a":3,"b":2})");
}

TEST(Yaml, KnowsWhereKeysStand) {
    auto document = read_yaml("a:\n  b:\n  - x\n  - y: 1\n", "f.yml").value();
    EXPECT_EQ(document.places.of("a.b"), "f.yml:2");
    EXPECT_EQ(document.places.of("a.b[0]"), "f.yml:3");
    EXPECT_EQ(document.places.of("a.b[1].y"), "f.yml:4");
    EXPECT_EQ(document.places.of("a.missing"), "f.yml:1");
    EXPECT_EQ(document.places.of("z"), "f.yml");
}

TEST(Yaml, AnEmptyDocumentIsNothing) {
    EXPECT_EQ(json_of(""), "null");
    EXPECT_EQ(json_of("# only a comment\n"), "null");
    EXPECT_EQ(json_of("--- \n"), "null");
}

TEST(Yaml, WritesWhatPeopleWrite) {
    auto json =
        parse_json(
            R"({"ttl":30,"postgresql":{"parameters":{"max_connections":100},"pg_hba":["local all all trust",)"
            R"("host all all 0.0.0.0/0 scram-sha-256"]},"slots":{},"list":[{"a":1,"b":[2]},[3]],"none":null})")
            .value();
    EXPECT_EQ(
        to_yaml(json),
        "ttl: 30\npostgresql:\n  parameters:\n    max_connections: 100\n  pg_hba:\n  - local all all trust\n"
        "  - host all all 0.0.0.0/0 scram-sha-256\nslots: {}\nlist:\n- a: 1\n  b:\n  - 2\n- - 3\nnone: "
        "null\n");
    EXPECT_EQ(to_yaml(Json("on")), "\"on\"\n");
}

TEST(Yaml, ReadsBackWhatItWrites) {
    for (
        auto text :
        {R"({"a":["on","5","0.9","null","","~"," x","x ","a: b","a #b","#c","- x","a\nb","\"q\"","'","{","5432:x","/a b","é","%","x:"]})",
         R"({"on":{"5":[],"":{},"a b":null,"a: b":true,"x":{"y":[[[1,{"z":-0.5}]],{"k":[]}]}}})", R"([])",
         R"("x")", "5", "null", R"([{"a":[{"b":1},{"c":2}]},"\u0001\t","=","<<","10.0.0.1","-"])"}) {
        auto json = parse_json(text).value();
        EXPECT_EQ(json_of(to_yaml(json)), to_text(json)) << to_yaml(json);
    }
}

TEST(Yaml, WithStrayCommasAndBracesIsRefusedInFiniteTime) {
    for (const char* text : {", a: \"b\"}\nc: {d: [1]}\n", "}", "a: 1\n}\n}", "]", ","})
        EXPECT_FALSE(parse_yaml(text, "stray.yml")) << text;
}

}  // namespace
}  // namespace pgherd
