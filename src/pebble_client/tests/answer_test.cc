#include "pebble_client/answer.h"

#include <gtest/gtest.h>

namespace pgherd::pebble {
namespace {

TEST(Answer, OfTypeSyncIsItsResultWhateverTheStatus) {
    const auto answer =
        read_answer({502, {}, R"({"type":"sync","status-code":502,"result":{"healthy":false}})"});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 502);
    EXPECT_FALSE(answer->result.at("healthy").as_bool());
}

TEST(Answer, OfTypeAsyncNamesItsChange) {
    EXPECT_EQ(read_answer({202, {}, R"({"type":"async","change":"7","result":null})"})->change, "7");
}

TEST(Answer, OfTypeErrorIsAnErrorWithItsWords) {
    const auto answer = read_answer({404, {}, R"({"type":"error","result":{"message":"cannot find it"}})"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "cannot find it");
    EXPECT_EQ(answer.error().code, ErrorCode::not_found);
}

TEST(Answer, ThatIsNoneIsRefused) {
    for (const char* body :
         {"", "[]", "{", "<html>", R"({"type":"error"})", R"({"type":"error","result":7})"})
        EXPECT_FALSE(read_answer({500, {}, body})) << body;
}

TEST(Target, EncodesValuesAndLeavesEmptyOnesOut) {
    EXPECT_EQ(target("/v1/services", {{"names", "a b&c"}, {"level", ""}, {"names", "d"}}),
              "/v1/services?names=a%20b%26c&names=d");
    EXPECT_EQ(target("/v1/services", {}), "/v1/services");
}

}  // namespace
}  // namespace pgherd::pebble
