#include "postgres/passwords.h"

#include <array>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/text.h"

namespace pgherd::postgres {
namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

constexpr std::string_view kScram = "SCRAM-SHA-256$";
constexpr std::uint64_t kMostIterations = 10'000'000;  // more than a second's work: nobody stores that

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

// One field of a password file, up to the next ":" that is not escaped; moves `at` behind that.
std::string field(std::string_view line, std::size_t& at) {
    std::string result;
    for (; at < line.size() && line[at] != ':'; ++at) {
        if (line[at] == '\\' && at + 1 < line.size()) ++at;
        result += line[at];
    }
    ++at;
    return result;
}

const Credentials& rewind_user(const PostgresConfig& config) {
    return config.rewind.username.empty() ? config.superuser : config.rewind;
}

}  // namespace

// RFC 5802: StoredKey = H(HMAC(PBKDF2(password, salt, iterations), "Client Key")).
bool scram_accepts(std::string_view stored, std::string_view password) {
    if (!stored.starts_with(kScram)) return false;
    const auto parts = split(stored.substr(kScram.size()), '$');  // <iterations>:<salt>, <stored>:<server>
    if (parts.size() != 2) return false;
    const auto how = split(parts[0], ':');
    const auto keys = split(parts[1], ':');
    if (how.size() != 2 || keys.size() != 2) return false;
    const auto iterations = parse_uint(how[0]);
    const auto salt = base64_decode(how[1]);
    const auto wanted = base64_decode(keys[0]);
    if (!iterations || *iterations == 0 || *iterations > kMostIterations || !salt || !wanted) return false;
    Digest salted, client_key, stored_key;
    unsigned int length = 0;
    if (!PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes(*salt),
                           static_cast<int>(salt->size()), static_cast<int>(*iterations), EVP_sha256(),
                           salted.size(), salted.data()))
        return false;
    constexpr std::string_view kClientKey = "Client Key";
    HMAC(EVP_sha256(), salted.data(), salted.size(), bytes(kClientKey), kClientKey.size(), client_key.data(),
         &length);
    SHA256(client_key.data(), client_key.size(), stored_key.data());
    return std::string_view(reinterpret_cast<const char*>(stored_key.data()), stored_key.size()) == *wanted;
}

std::map<std::string, std::string> read_password_file(std::string_view text) {
    std::map<std::string, std::string> result;
    for (const auto& line : split(text, '\n')) {
        std::size_t at = 0;
        for (int skipped = 0; skipped < 3; ++skipped) static_cast<void>(field(line, at));
        if (at >= line.size()) continue;
        std::string user = field(line, at);
        result.emplace(std::move(user), at < line.size() ? field(line, at) : std::string());
    }
    return result;
}

void FormerPasswords::remember(const PostgresConfig& config,
                               const std::map<std::string, std::string>& known) {
    for (const Credentials* user : {&config.superuser, &config.replication, &rewind_user(config)}) {
        const auto found = known.find(user->username);
        if (user->password_file.empty() || found == known.end()) continue;
        if (found->second != user->password) former_[user->username] = found->second;
    }
}

void FormerPasswords::change(const PostgresConfig& from, const PostgresConfig& to) {
    std::map<std::string, std::string> known;
    for (const Credentials* user : {&from.superuser, &from.replication, &rewind_user(from)})
        known[user->username] = in_force(*user).password;
    former_.clear();
    remember(to, known);
}

Credentials FormerPasswords::in_force(const Credentials& user) const {
    Credentials result = user;
    if (const auto found = former_.find(user.username); found != former_.end())
        result.password = found->second;
    return result;
}

}  // namespace pgherd::postgres
