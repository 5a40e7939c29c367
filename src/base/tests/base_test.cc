// LSNs, texts and times: what they read, what they write, what they refuse.
#include <gtest/gtest.h>

#include "base/lsn.h"
#include "base/text.h"
#include "base/time.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;

TEST(Lsn, ReadsWhatItWrites) {
    for (std::uint64_t value : {0ull, 1ull, 0x3000060ull, 0xFFFFFFFFull, 0x1'0000'0000ull, ~0ull})
        EXPECT_EQ(parse_lsn(to_string(Lsn{value})).value().value, value);
    EXPECT_EQ(to_string(Lsn{0x1'2345'6789}), "1/23456789");
}

TEST(Lsn, RefusesWhatIsNoPosition) {
    for (auto text : {"", "/", "1", "1/", "/1", "x/1", "1/1 ", "1/100000000"})
        EXPECT_FALSE(parse_lsn(text)) << text;
}

TEST(WalPosition, ComparesTimelinesBeforeBytes) {
    EXPECT_LT((WalPosition{{1}, {900}}), (WalPosition{{2}, {100}}));
    EXPECT_LT((WalPosition{{2}, {100}}), (WalPosition{{2}, {101}}));
}

TEST(Text, ReadsBytesWithUnits) {
    EXPECT_EQ(parse_bytes("1048576").value(), 1048576);
    EXPECT_EQ(parse_bytes("10MB").value(), 10 * 1048576);
    EXPECT_EQ(parse_bytes(" 16 kB ").value(), 16384);
    EXPECT_EQ(parse_bytes("-1").value(), -1);
    EXPECT_FALSE(parse_bytes("10 apples"));
    EXPECT_FALSE(parse_bytes("MB"));
    EXPECT_FALSE(parse_bytes("99999999999TB"));
}

TEST(Text, ReadsDurationsWithUnits) {
    EXPECT_EQ(parse_duration("30").value(), 30s);
    EXPECT_EQ(parse_duration("30min").value(), 30min);
    EXPECT_EQ(parse_duration("1.5s").value(), 1500ms);
    EXPECT_EQ(parse_duration("10ms").value(), 10ms);
    EXPECT_FALSE(parse_duration("10 years"));
}

TEST(Text, Base64RoundTripsEveryLength) {
    std::string bytes;
    for (int i = 0; i < 70; ++i) {
        EXPECT_EQ(base64_decode(base64_encode(bytes)).value(), bytes);
        bytes.push_back(char(i * 37));
    }
    EXPECT_EQ(base64_encode("Man"), "TWFu");
    EXPECT_EQ(base64_encode("M"), "TQ==");
    EXPECT_FALSE(base64_decode("TW*u"));
}

TEST(Text, QuotesForConfigurationFiles) {
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
}

TEST(Time, ReadsIsoTimesWithAZone) {
    auto time = parse_iso("2026-01-02T03:04:05.678901+00:00").value();
    EXPECT_EQ(to_iso(time), "2026-01-02T03:04:05.678901+00:00");
    EXPECT_EQ(to_iso_with_blank(time), "2026-01-02 03:04:05.678901+00:00");
    EXPECT_EQ(parse_iso("2026-01-02 05:04:05.678901+02").value(), time);
    EXPECT_EQ(to_iso(parse_iso("2026-01-02T03:04Z").value()), "2026-01-02T03:04:00+00:00");
}

TEST(Time, RefusesTimesThatAreAmbiguousOrImpossible) {
    for (auto text : {"", "2026-01-02", "2026-01-02T03:04:05", "2026-02-30T00:00:00Z", "2026-01-02T25:00:00Z",
                      "2026-01-02T03:04:05Z x"})
        EXPECT_FALSE(parse_iso(text)) << text;
}

}  // namespace
}  // namespace pgherd
