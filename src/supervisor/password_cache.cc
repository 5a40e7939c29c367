#include "supervisor/password_cache.h"

#include <algorithm>
#include <string>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace pgherd::supervisor {

PasswordCache::Digest PasswordCache::digest_of(std::string_view name, std::string_view hash,
                                               std::string_view password) {
    // Neither a name nor a hash has a NUL in it, so no two of these are alike.
    std::string text;
    text.reserve(name.size() + hash.size() + password.size() + 2);
    text.append(name).append(1, '\0').append(hash).append(1, '\0').append(password);
    Digest digest{};
    ::HMAC(::EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), nullptr);
    ::OPENSSL_cleanse(text.data(), text.size());
    return digest;
}

// Looks at all places, so that its time tells nothing.
bool PasswordCache::knows(const Digest& digest, Instant now) const {
    bool found = false;
    for (const Place& place : places_)
        found |= ::CRYPTO_memcmp(place.digest.data(), digest.data(), digest.size()) == 0 && place.until > now;
    return found;
}

const supervise::Identity* PasswordCache::identity(const supervise::Identities& identities,
                                                   std::string_view name, std::string_view password,
                                                   Instant now) {
    const auto found = identities.all().find(name);
    if (found == identities.all().end() || found->second.password_hash.empty()) return nullptr;
    if (!has_key_) has_key_ = ::RAND_bytes(key_.data(), static_cast<int>(key_.size())) == 1;
    if (!has_key_) return identities.for_password(name, password);
    const Digest digest = digest_of(name, found->second.password_hash, password);
    if (knows(digest, now)) return &found->second;
    const supervise::Identity* identity = identities.for_password(name, password);
    if (identity != nullptr)
        *std::ranges::min_element(places_, {}, &Place::until) = {digest, now + kLifetime};
    return identity;
}

}  // namespace pgherd::supervisor
