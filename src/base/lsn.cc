#include "base/lsn.h"

#include <charconv>

#include <fmt/format.h>

namespace pgherd {

std::string to_string(Lsn lsn) {
    return fmt::format("{:X}/{:X}", lsn.value >> 32, lsn.value & 0xFFFFFFFF);
}

Result<Lsn> parse_lsn(std::string_view text) {
    auto bad = [&] {
        return fail(ErrorCode::invalid,
                    fmt::format("\"{}\" is no WAL position (expected X/Y, hexadecimal)", text));
    };
    auto slash = text.find('/');
    if (slash == std::string_view::npos) return bad();
    std::uint32_t high = 0, low = 0;
    const char* begin = text.data();
    auto first = std::from_chars(begin, begin + slash, high, 16);
    auto second = std::from_chars(begin + slash + 1, begin + text.size(), low, 16);
    if (first.ec != std::errc{} || first.ptr != begin + slash || second.ec != std::errc{} ||
        second.ptr != begin + text.size())
        return bad();
    return Lsn{(std::uint64_t{high} << 32) | low};
}

}  // namespace pgherd
