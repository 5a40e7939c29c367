#include "container/first_secret.h"

#include <chrono>
#include <optional>
#include <utility>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "codec/environment.h"
#include "eventloop/loop.h"
#include "eventloop/spawn.h"
#include "eventloop/system_random.h"
#include "store_kube/api.h"

namespace pgherd::container {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPasswordLength = 32;
constexpr Duration kPatience = 30s;  // the API server may only just be coming up

JsonObject secret(const std::string& name) {
    JsonObject passwords;
    for (const char* key :
         {"superuser-password", "replication-password", "rewind-password", "restapi-password"})
        passwords[key] = random_password();
    return {{"apiVersion", "v1"},
            {"kind", "Secret"},
            {"metadata", JsonObject{{"name", name}}},
            {"type", "Opaque"},
            {"stringData", std::move(passwords)}};
}

boost::asio::awaitable<void> create(kube::Api& api, std::string body, Instant deadline,
                                    std::optional<Result<JsonObject>>& answer) {
    answer = co_await api.call({.method = "POST",
                                .path = fmt::format("/api/v1/namespaces/{}/secrets", api.name_space()),
                                .body = std::move(body)},
                               deadline);
}

}  // namespace

std::string random_password() {
    constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    SystemRandom random;
    std::string text;
    while (text.size() < kPasswordLength) text += kLetters[random.below(kLetters.size())];
    return text;
}

// A call whose outcome is unknown is repeated: the second one finds what the first one made.
Result<bool> make_first_secret(const std::string& name, const KubernetesConfig& config) {
    EventLoop loop;
    PGHERD_TRY(kube::Access access, kube::find_access(config, current_environment()));
    kube::Api api(loop, std::move(access), config);
    std::optional<Result<JsonObject>> answer;
    const Instant deadline = loop.clock().now() + kPatience;
    spawn(loop, create(api, boost::json::serialize(secret(name)), deadline, answer));
    loop.run_until([&] { return answer.has_value(); }, kPatience + 1s);
    if (!answer) return fail(ErrorCode::timeout, fmt::format("cannot make Secret \"{}\": no answer", name));
    if (*answer) return true;
    if (answer->error().code == ErrorCode::conflict) return false;
    return std::unexpected(with_context(answer->error(), fmt::format("cannot make Secret \"{}\"", name)));
}

}  // namespace pgherd::container
