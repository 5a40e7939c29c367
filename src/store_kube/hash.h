// FNV-1a, 64 bits: tells texts apart that nobody forges.
#pragma once

#include <cstdint>
#include <string_view>

namespace pgherd::kube {

constexpr std::uint64_t hash(std::string_view text, std::uint64_t state = 0xcbf29ce484222325U) {
    for (const char c : text) {
        state ^= static_cast<unsigned char>(c);
        state *= 0x100000001b3U;
    }
    return state;
}

}  // namespace pgherd::kube
