// Points in time. Two kinds that never mix: Instant, for deadlines and leases, counts on CLOCK_BOOTTIME (it
// runs on while the machine sleeps, and nobody can set it); WallTime is for people and for schedules.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace pgherd {

using Duration = std::chrono::nanoseconds;

// The clock that Instant belongs to. It has no now(): time comes from ports/clock.h, or from boottime_now()
// below in the few programs without ports (the guard).
struct BootClock {
    using rep = Duration::rep;
    using period = Duration::period;
    using duration = Duration;
    using time_point = std::chrono::time_point<BootClock, Duration>;
    static constexpr bool is_steady = true;
};
using Instant = BootClock::time_point;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

Instant boottime_now();  // CLOCK_BOOTTIME

// "2026-01-02T03:04:05.678901+00:00", as Patroni writes it (ISO 8601, UTC). The fraction is left out when it
// is 0.
std::string to_iso(WallTime time);
// The same with a blank instead of T, as in `postmaster_start_time`.
std::string to_iso_with_blank(WallTime time);
// ISO 8601 with a blank or a T, an optional fraction, and a zone ("Z", "+02", "+02:00"). No zone is an error,
// as a schedule without one is ambiguous.
Result<WallTime> parse_iso(std::string_view text);
// Seconds as a decimal number, for people: "1.25 s", "3 min 20 s".
std::string to_text(Duration duration);

}  // namespace pgherd
