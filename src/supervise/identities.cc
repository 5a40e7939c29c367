#include "supervise/identities.h"

#include <algorithm>
#include <array>
#include <memory>

#include <crypt.h>
#include <fmt/format.h>

#include "base/text.h"
#include "supervise/go_text.h"

namespace pgherd::supervise {
namespace {

constexpr std::array<std::string_view, 4> kAccessNames{"untrusted", "metrics", "read", "admin"};
constexpr std::string_view kHidden = "*****";

std::unexpected<Error> invalid(std::string text) {
    return fail(ErrorCode::invalid, std::move(text));
}

std::string text_of(const Json& value) {
    return value.is_string() ? std::string(value.get_string()) : std::string();
}

bool is_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (name.empty() || !letter(name.front())) return false;
    return std::ranges::all_of(
        name, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
}

Result<Access> parse_access(const Json* value) {
    constexpr std::string_view kChoices = R"("admin", "read", "metrics", or "untrusted")";
    if (!value || value->is_null()) return invalid(fmt::format("access must be specified ({})", kChoices));
    const std::string text = text_of(*value);
    const auto found = std::ranges::find(kAccessNames, text);
    if (found == kAccessNames.end())
        return invalid(fmt::format("invalid access value {}, must be {}", go_quote(text), kChoices));
    return static_cast<Access>(found - kAccessNames.begin());
}

const JsonObject* section(const JsonObject& object, std::string_view key) {
    const Json* value = object.if_contains(boost::json::string_view(key.data(), key.size()));
    return value ? value->if_object() : nullptr;
}

Result<Identity> parse_identity(const JsonObject& object) {
    Identity identity;
    for (const auto& [key, value] : object)
        if (key != "access" && key != "local" && key != "basic" && key != "cert")
            return invalid(
                fmt::format("unknown field {}", go_quote(std::string_view(key.data(), key.size()))));
    PGHERD_TRY(identity.access, parse_access(object.if_contains("access")));
    const JsonObject* local = section(object, "local");
    const JsonObject* basic = section(object, "basic");
    const JsonObject* cert = section(object, "cert");
    if (!local && !basic && !cert)
        return invalid("identity must have at least one type (\"local\", \"basic\", or \"cert\")");
    if (local) {
        const Json* id = local->if_contains("user-id");
        if (!id || !(id->is_int64() || id->is_uint64()))
            return invalid("local identity must specify user-id");
        // The same number is signed when it was read, and unsigned when it was written by `write` below.
        const std::uint64_t number =
            id->is_int64() ? static_cast<std::uint64_t>(id->get_int64()) : id->get_uint64();
        if (number > UINT32_MAX) return invalid("local identity has an invalid user-id");
        identity.user_id = static_cast<std::uint32_t>(number);
    }
    if (basic) {
        const Json* password = basic->if_contains("password");
        identity.password_hash = password ? text_of(*password) : "";
        if (identity.password_hash.empty()) return invalid("basic identity must specify password (hashed)");
    }
    if (cert) {
        const Json* pem = cert->if_contains("pem");
        identity.certificate = pem ? text_of(*pem) : "";
        if (identity.certificate.empty())
            return invalid("cert identity must include a PEM-encoded certificate");
    }
    return identity;
}

JsonObject write(const Identity& identity, bool hide) {
    JsonObject object;
    const std::string_view access = to_string(identity.access);
    object["access"] = boost::json::string_view(access.data(), access.size());
    const auto secret = [&](const std::string& text) {
        return hide ? Json(boost::json::string_view(kHidden.data(), kHidden.size())) : Json(text);
    };
    if (identity.user_id) object["local"] = JsonObject{{"user-id", *identity.user_id}};
    if (!identity.password_hash.empty())
        object["basic"] = JsonObject{{"password", secret(identity.password_hash)}};
    if (!identity.certificate.empty()) object["cert"] = JsonObject{{"pem", secret(identity.certificate)}};
    return object;
}

// Names of `input` of which `wrong` holds, or nothing.
template <class Wrong>
Status none(const IdentityInput& input, std::string_view complaint, Wrong wrong) {
    std::vector<std::string> names;
    for (const auto& [name, identity] : input)
        if (wrong(name, identity)) names.push_back(name);
    if (names.empty()) return {};
    return invalid(fmt::format("{}: {}", complaint, join(names, ", ")));
}

Status not_null(const IdentityInput& input, std::string_view operation) {
    for (const auto& [name, identity] : input)
        if (!identity)
            return invalid(fmt::format("identity value for {} must not be null for {} operation",
                                       go_quote(name), operation));
    return {};
}

bool same_text(std::string_view a, std::string_view b) {
    unsigned char difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        difference |= static_cast<unsigned char>(a[i] ^ b[i]);
    return difference == 0;
}

}  // namespace

std::string_view to_string(Access access) {
    return kAccessNames[static_cast<std::size_t>(access)];
}

Result<IdentityInput> parse_identities(const JsonObject& object) {
    IdentityInput input;
    for (const auto& [key, value] : object) {
        const std::string name(key.data(), key.size());
        if (value.is_null()) {
            input.emplace(name, std::nullopt);
            continue;
        }
        const auto complain = [&](std::string_view why) {
            return invalid(fmt::format("identity {} invalid: {}", go_quote(name), why));
        };
        if (!is_name(name))
            return complain(
                "must start with an alphabetic character and only contain alphanumeric, underscore, "
                "and hyphen characters");
        if (!value.is_object()) return complain("must be an object");
        Result<Identity> identity = parse_identity(value.get_object());
        if (!identity) return complain(identity.error().message);
        input.emplace(name, std::move(*identity));
    }
    return input;
}

Status Identities::adopt(std::map<std::string, Identity, std::less<>> identities) {
    std::map<std::uint32_t, std::string> users;
    for (const auto& [name, identity] : identities) {
        if (!identity.user_id) continue;
        const auto [other, fresh] = users.emplace(*identity.user_id, name);
        if (!fresh)
            return invalid(fmt::format("cannot have multiple identities with user ID {} ({}, {})",
                                       *identity.user_id, other->second, name));
    }
    identities_ = std::move(identities);
    return {};
}

Status Identities::add(const IdentityInput& input) {
    PGHERD_CHECK(not_null(input, "add"));
    PGHERD_CHECK(none(input, "identities already exist",
                      [&](const auto& name, const auto&) { return identities_.contains(name); }));
    return replace(input);
}

Status Identities::update(const IdentityInput& input) {
    PGHERD_CHECK(not_null(input, "update"));
    PGHERD_CHECK(none(input, "identities do not exist",
                      [&](const auto& name, const auto&) { return !identities_.contains(name); }));
    return replace(input);
}

Status Identities::replace(const IdentityInput& input) {
    auto identities = identities_;
    for (const auto& [name, identity] : input) {
        if (identity)
            identities.insert_or_assign(name, *identity);
        else
            identities.erase(name);
    }
    return adopt(std::move(identities));
}

Status Identities::remove(const IdentityInput& input) {
    for (const auto& [name, identity] : input)
        if (identity)
            return invalid(
                fmt::format("identity value for {} must be null for remove operation", go_quote(name)));
    PGHERD_CHECK(none(input, "identities do not exist",
                      [&](const auto& name, const auto&) { return !identities_.contains(name); }));
    return replace(input);
}

const Identity* Identities::for_user_id(std::uint32_t user_id) const {
    for (const auto& [name, identity] : identities_)
        if (identity.user_id == user_id) return &identity;
    return nullptr;
}

const Identity* Identities::for_password(std::string_view name, std::string_view password) const {
    const auto found = identities_.find(name);
    if (found == identities_.end() || !found->second.password_hash.starts_with("$6$")) return nullptr;
    const std::string& hash = found->second.password_hash;
    const auto data = std::make_unique<crypt_data>();
    const char* made = ::crypt_r(std::string(password).c_str(), hash.c_str(), data.get());
    return made && same_text(made, hash) ? &found->second : nullptr;
}

JsonObject Identities::with_secrets_hidden() const {
    JsonObject object;
    for (const auto& [name, identity] : identities_) object[name] = write(identity, true);
    return object;
}

JsonObject Identities::with_secrets() const {
    JsonObject object;
    for (const auto& [name, identity] : identities_) object[name] = write(identity, false);
    return object;
}

Status Identities::restore(const JsonObject& object) {
    PGHERD_TRY(const IdentityInput input, parse_identities(object));
    identities_.clear();
    return replace(input);
}

}  // namespace pgherd::supervise
