// Positions in PostgreSQL's write-ahead log.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace pgherd {

// A byte position in the WAL; 0 is "none", as in PostgreSQL (InvalidXLogRecPtr).
struct Lsn {
    std::uint64_t value = 0;

    constexpr bool valid() const { return value != 0; }
    constexpr auto operator<=>(const Lsn&) const = default;
};

std::string to_string(Lsn lsn);                // "0/3000060"
Result<Lsn> parse_lsn(std::string_view text);  // the inverse

// Bytes from `from` to `to`, 0 where `to` is not ahead.
constexpr std::uint64_t bytes_between(Lsn from, Lsn to) {
    return to > from ? to.value - from.value : 0;
}

// A timeline id; 0 is "unknown". PostgreSQL starts at 1.
struct Timeline {
    std::uint32_t value = 0;

    constexpr bool known() const { return value != 0; }
    constexpr auto operator<=>(const Timeline&) const = default;
};

// Where a member stands. Ordered by timeline first: more bytes on an older timeline are not more history.
struct WalPosition {
    Timeline timeline;
    Lsn lsn;

    constexpr auto operator<=>(const WalPosition&) const = default;
};

}  // namespace pgherd
