// Who may use the API: named identities and the access that each has.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/member.h"

namespace pgherd::supervise {

enum class Access : std::uint8_t { untrusted, metrics, read, admin };
std::string_view to_string(Access access);

struct Identity {
    Access access = Access::untrusted;
    std::optional<std::uint32_t> user_id;  // local: the peer of the unix socket
    std::string password_hash;             // basic: sha512-crypt, "$6$…"
    std::string certificate;               // cert: PEM
    bool operator==(const Identity&) const = default;
};

// A set as a client or a file gives it; null = the name alone (for remove, and for replace to remove).
using IdentityInput = std::map<std::string, std::optional<Identity>, std::less<>>;
Result<IdentityInput> parse_identities(const JsonObject& object);

class Identities {
  public:
    // All or nothing each.
    Status add(const IdentityInput& input);      // none may exist
    Status update(const IdentityInput& input);   // all must exist
    Status replace(const IdentityInput& input);  // add or update; null removes
    Status remove(const IdentityInput& input);   // all must exist and be null

    const std::map<std::string, Identity, std::less<>>& all() const { return identities_; }
    const Identity* for_user_id(std::uint32_t user_id) const;
    // The one with this name and password; takes milliseconds, as it must.
    const Identity* for_password(std::string_view name, std::string_view password) const;

    JsonObject with_secrets_hidden() const;  // for clients
    JsonObject with_secrets() const;         // for the state file
    Status restore(const JsonObject& object);

  private:
    Status adopt(std::map<std::string, Identity, std::less<>> identities);
    std::map<std::string, Identity, std::less<>> identities_;
};

}  // namespace pgherd::supervise
