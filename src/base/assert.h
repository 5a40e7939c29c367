// An assertion that is always on.
//
// A broken invariant is a bug: the program prints what it knew and aborts. PostgreSQL outlives it, because
// the guard, not the brain, is the parent of the postmaster. Expected failures use Result (base/result.h),
// never this.
#pragma once

#include <string_view>

namespace pgherd {

[[noreturn]] void assertion_failed(std::string_view condition, std::string_view file, int line,
                                   std::string_view what = {}) noexcept;

}  // namespace pgherd

#define PGHERD_ASSERT(condition, ...)                                                              \
    do {                                                                                           \
        if (!(condition)) [[unlikely]]                                                             \
            ::pgherd::assertion_failed(#condition, __FILE__, __LINE__ __VA_OPT__(, ) __VA_ARGS__); \
    } while (false)
