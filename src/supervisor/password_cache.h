// Passwords that were right a moment ago.
//
// Verifying one takes milliseconds of the loop, as it must for whoever guesses; a scraper that sends the same
// one with every request should not cost that each time. What is kept is a keyed hash of the name, the
// password and the hash it was verified against, so that memory holds no password, and a changed identity
// needs no word to this: nothing fits it any more. Wrong passwords are not kept: guessing stays slow.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/time.h"
#include "supervise/identities.h"

namespace pgherd::supervisor {

class PasswordCache {
  public:
    static constexpr Duration kLifetime = std::chrono::minutes(5);
    static constexpr std::size_t kPlaces = 32;  // beyond it, the one that ends first makes room

    // As Identities::for_password, at once for what was right within kLifetime.
    const supervise::Identity* identity(const supervise::Identities& identities, std::string_view name,
                                        std::string_view password, Instant now);

  private:
    using Digest = std::array<std::uint8_t, 32>;
    struct Place {
        Digest digest{};
        Instant until{};
    };
    Digest digest_of(std::string_view name, std::string_view hash, std::string_view password);
    bool knows(const Digest& digest, Instant now) const;

    std::array<std::uint8_t, 32> key_{};  // made when it is first needed
    bool has_key_ = false;
    std::array<Place, kPlaces> places_{};
};

}  // namespace pgherd::supervisor
