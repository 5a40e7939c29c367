#include "base/utf8.h"

#include <gtest/gtest.h>

namespace pgherd {
namespace {

TEST(Utf8, LeavesTextAsItIs) {
    for (const std::string text : {"", "plain", "\xc3\xbc", "a\xe2\x82\xac", "\xf0\x9f\x98\x80z"}) {
        EXPECT_TRUE(is_utf8(text)) << text;
        EXPECT_EQ(to_utf8(text), text);
    }
}

TEST(Utf8, NumbersTheFirstCharacter) {
    EXPECT_EQ(utf8_code_point("az"), U'a');
    EXPECT_EQ(utf8_code_point("\xc3\xbcz"), U'\u00fc');
    EXPECT_EQ(utf8_code_point("\xe2\x82\xac"), U'\u20ac');
    EXPECT_EQ(utf8_code_point("\xf0\x9f\x98\x80z"), U'\U0001f600');
}

TEST(Utf8, ReplacesEveryByteThatIsNone) {
    const std::string x(kReplacementCharacter);
    EXPECT_EQ(to_utf8("a\xff\xfe w\xf6rld"), "a" + x + x + " w" + x + "rld");
    EXPECT_EQ(to_utf8("\xc3"), x) << "the end of a character is missing";
    EXPECT_EQ(to_utf8("\xc0\x80\xc3\xbc"), x + x + "\xc3\xbc") << "longer than it has to be";
    EXPECT_EQ(to_utf8("\xed\xa0\x80"), x + x + x) << "half of a pair of UTF-16";
    EXPECT_EQ(to_utf8("\xf4\x90\x80\x80"), x + x + x + x) << "beyond the last character";
    EXPECT_FALSE(is_utf8("ab\x80"));
}

}  // namespace
}  // namespace pgherd
