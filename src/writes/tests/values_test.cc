#include "writes/values.h"

#include <gtest/gtest.h>

namespace pgherd::writes {
namespace {

TEST(ValueSet, FoldsConsecutiveValuesIntoRanges) {
    ValueSet values;
    for (std::int64_t value : {1, 2, 3, 7, 8, 10}) values.append(value);
    EXPECT_EQ(values, (ValueSet{{1, 3}, {7, 8}, {10, 10}}));
    EXPECT_EQ(values.count(), 6);
}

// Against the obvious implementation, for every pair of subsets of a small world.
TEST(ValueSet, DifferenceAndIntersectionAgreeWithThoseOfSingleValues) {
    constexpr unsigned kBits = 6;
    auto set_of = [](unsigned bits) {
        ValueSet values;
        for (unsigned bit = 0; bit < kBits; ++bit)
            if (bits >> bit & 1) values.append(bit);
        return values;
    };
    for (unsigned a = 0; a < 1u << kBits; ++a)
        for (unsigned b = 0; b < 1u << kBits; ++b) {
            EXPECT_EQ(difference(set_of(a), set_of(b)), set_of(a & ~b)) << a << " without " << b;
            EXPECT_EQ(intersection(set_of(a), set_of(b)), set_of(a & b)) << a << " and " << b;
        }
}

TEST(Compare, CountsAnAcknowledgedAbsentValueAsLost) {
    Findings findings = compare({{1, 10}}, {}, {{{1, 4}, 1}, {{6, 10}, 1}});
    EXPECT_EQ(findings.lost, (ValueSet{{5, 5}}));
    EXPECT_FALSE(findings.clean());
}

TEST(Compare, CountsAValueThatIsThereTwiceAsDuplicated) {
    Findings findings = compare({{1, 10}}, {}, {{{1, 4}, 1}, {{5, 5}, 2}, {{6, 10}, 1}});
    EXPECT_EQ(findings.duplicated, (ValueSet{{5, 5}}));
    EXPECT_EQ(findings.rows, 11);
    EXPECT_FALSE(findings.clean());
}

TEST(Compare, FindsNoFaultWithValuesOfUnknownOutcome) {
    Findings findings = compare({{1, 4}, {7, 9}}, {{5, 6}}, {{{1, 5}, 1}, {{7, 9}, 1}});
    EXPECT_TRUE(findings.clean());
    EXPECT_EQ(findings.unknown_present, (ValueSet{{5, 5}}));
}

}  // namespace
}  // namespace pgherd::writes
