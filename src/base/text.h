// Small text helpers that the standard library lacks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace pgherd {

Result<std::int64_t> parse_int(std::string_view text);  // decimal, optional sign, nothing else
Result<std::uint64_t> parse_uint(std::string_view text);
// Bytes with an optional unit as PostgreSQL and Patroni accept them: "1048576", "10MB", "16kB", "1 GB" (1024
// based).
Result<std::int64_t> parse_bytes(std::string_view text);
// Seconds with an optional unit ("us", "ms", "s", "min", "h", "d"): "30", "30min", "1.5s". A bare number is
// seconds.
Result<Duration> parse_duration(std::string_view text);

std::vector<std::string> split(std::string_view text,
                               char separator);  // keeps empty parts; "" gives one empty part
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);          // blanks, tabs, line ends
std::string to_lower(std::string_view text);           // ASCII
bool iequals(std::string_view a, std::string_view b);  // ASCII
std::string base64_encode(std::string_view bytes);
Result<std::string> base64_decode(std::string_view text);
// 'it''s' : a quoted literal for postgresql.conf or SQL (standard_conforming_strings = on).
std::string quote_literal(std::string_view text);
std::string quote_identifier(std::string_view text);  // always in double quotes

}  // namespace pgherd
