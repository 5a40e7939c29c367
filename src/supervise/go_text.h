// Small things in the form in which Go writes and reads them, because Pebble's clients expect them so.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace pgherd::supervise {

std::string go_duration(Duration duration);  // "1.5s", "168h0m0s", "300ms", "0s"
// `time: invalid duration "5"`. Whatever Go takes (up to 292 years); longer ones than this count as this, so
// that a time and a few durations can be added without an overflow.
inline constexpr Duration kLongestDuration = std::chrono::hours(24 * 365 * 100);
Result<Duration> parse_go_duration(std::string_view text);
std::string go_quote(std::string_view text);            // %q
std::string rfc3339(WallTime time);                     // "2026-01-02T03:04:05.678901Z", no trailing zeros
std::string rfc3339_seconds(WallTime time);             // for task logs
Result<WallTime> parse_rfc3339(std::string_view text);  // 0-9 digits of fraction, Z or an offset

}  // namespace pgherd::supervise
