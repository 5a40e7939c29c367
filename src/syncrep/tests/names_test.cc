// synchronous_standby_names: parsed, rendered, and the same after both.
#include <gtest/gtest.h>

#include "syncrep/syncrep.h"

namespace pgherd::syncrep {
namespace {

SyncNames names(SyncNames::Method method, int count, std::vector<std::string> list) {
    SyncNames result{method, count, {}};
    for (const std::string& name : list) result.names.emplace_back(std::string_view(name));
    return result;
}
using enum SyncNames::Method;

TEST(SyncNames, AreReadInEveryFormOfPostgres) {
    EXPECT_EQ(parse_names(""), SyncNames{});
    EXPECT_EQ(parse_names("a"), names(first, 1, {"a"}));
    EXPECT_EQ(parse_names("b, a"), names(first, 1, {"a", "b"}));
    EXPECT_EQ(parse_names("2 (a,b)"), names(first, 2, {"a", "b"}));
    EXPECT_EQ(parse_names("FIRST 2 (\"A-1\", b)"), names(first, 2, {"A-1", "b"}));
    EXPECT_EQ(parse_names("any 1 (a,b)"), names(any, 1, {"a", "b"}));
    EXPECT_EQ(parse_names("\"any\""), names(first, 1, {"any"}));
    EXPECT_EQ(parse_names("\"a\"\"b\""), names(first, 1, {"a\"b"}));
    EXPECT_EQ(parse_names("*"), names(first, 1, {"*"}));
}

TEST(SyncNames, AreOtherWhenPostgresWouldRefuseThem) {
    for (const char* text : {"any (a)", "0 (a)", "2 (a", "a b", "a,,b", "\"a", "1 ()", "-1 (a)"})
        EXPECT_EQ(parse_names(text).method, other) << text;
}

TEST(SyncNames, AreWrittenAndReadBack) {
    for (const SyncNames& each : {SyncNames{}, names(first, 1, {"a"}), names(first, 2, {"a", "node-1"}),
                                  names(any, 1, {"a", "b"}), names(any, 1, {"a"}), names(first, 1, {"First"}),
                                  names(first, 1, {"1st"}), names(first, 1, {"any"})})
        EXPECT_EQ(parse_names(render_names(each)), each) << render_names(each);
    EXPECT_EQ(render_names(names(first, 1, {"a"})), "a");
    EXPECT_EQ(render_names(names(first, 2, {"a", "node-1"})), "2 (a,\"node-1\")");
    EXPECT_EQ(render_names(names(any, 1, {"a", "b"})), "ANY 1 (a,b)");
}

}  // namespace
}  // namespace pgherd::syncrep
