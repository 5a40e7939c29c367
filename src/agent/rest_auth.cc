#include "agent/rest_auth.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>

#include <arpa/inet.h>

#include "base/text.h"

namespace pgherd::agent {
namespace {

struct Address {
    std::array<std::uint8_t, 16> bytes{};
    int bits = 128;  // 32 for IPv4
};

std::optional<Address> parse_address(std::string_view text) {
    std::string copy(text);
    Address address;
    if (inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) {
        address.bits = 32;
        return address;
    }
    if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) != 1) return std::nullopt;
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::ranges::equal(mapped, std::span(address.bytes).first(12))) {
        std::ranges::rotate(address.bytes, address.bytes.begin() + 12);
        address.bits = 32;
    }
    return address;
}

bool same_prefix(const Address& a, const Address& b, int bits) {
    for (int bit = 0; bit < bits; ++bit) {
        int mask = 0x80 >> (bit % 8);
        auto byte = std::size_t(bit / 8);
        if ((a.bytes[byte] & mask) != (b.bytes[byte] & mask)) return false;
    }
    return true;
}

// Takes the same time wherever the texts differ.
bool equal_in_constant_time(std::string_view given, std::string_view expected) {
    unsigned difference = given.size() == expected.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        char other = expected.empty() ? '\0' : expected[i % expected.size()];
        difference |= unsigned(static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(other));
    }
    return difference == 0;
}

HttpResponse refusal(int status, std::string_view text) {
    HttpResponse response{status, std::string(text), "text/plain; charset=utf-8", {}};
    if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"Patroni\"");
    return response;
}

// Why the credentials of the request are not accepted; empty = they are.
std::string_view refuse_credentials(const RestApiConfig& config, const HttpRequest& request) {
    auto header = request.headers.find("authorization");
    if (header == request.headers.end()) return "no auth header received";
    std::string_view value = trim(header->second);
    if (value.size() < 6 || !iequals(value.substr(0, 6), "Basic ")) return "not authenticated";
    auto decoded = base64_decode(trim(value.substr(6)));
    if (!decoded || !equal_in_constant_time(*decoded, config.username + ":" + config.password))
        return "not authenticated";
    return {};
}

bool on_allowlist(const AgentState& state, std::string_view address) {
    const RestApiConfig& config = state.config.restapi;
    auto matches = [&](const std::string& network) { return in_network(address, network); };
    if (std::ranges::any_of(config.allowlist, matches)) return true;
    if (!config.allowlist_include_members || !state.seen.cluster) return false;
    return std::ranges::any_of(state.seen.cluster->members,
                               [&](const auto& entry) { return matches(entry.second.host()); });
}

}  // namespace

bool in_network(std::string_view address, std::string_view network) {
    if (network == "localhost") return is_loopback(address);
    auto slash = network.find('/');
    auto peer = parse_address(address);
    auto base = parse_address(network.substr(0, slash));
    if (!peer || !base || peer->bits != base->bits) return false;
    std::int64_t bits = base->bits;
    if (slash != std::string_view::npos) bits = parse_int(network.substr(slash + 1)).value_or(-1);
    return bits >= 0 && bits <= base->bits && same_prefix(*peer, *base, int(bits));
}

bool is_loopback(std::string_view address) {
    return in_network(address, "127.0.0.0/8") || in_network(address, "::1");
}

std::optional<HttpResponse> refuse_access(const AgentState& state, const HttpRequest& request,
                                          Caller caller) {
    const RestApiConfig& config = state.config.restapi;
    bool has_allowlist = !config.allowlist.empty() || config.allowlist_include_members;
    bool wants_certificate = !config.tls.cert_file.empty() && config.verify_client != "none";
    if (caller == Caller::anyone && has_allowlist && !on_allowlist(state, request.peer_address))
        return refusal(403, "Access is denied");
    if (wants_certificate && !request.client_certificate) return refusal(403, "client certificate required");
    if (!config.username.empty()) {
        auto why = refuse_credentials(config, request);
        return why.empty() ? std::nullopt : std::optional(refusal(401, why));
    }
    bool guarded = has_allowlist || wants_certificate || caller == Caller::member;
    if (!guarded && !is_loopback(request.peer_address))
        return refusal(403,
                       "restapi.authentication is not configured, so only this machine may change something");
    return std::nullopt;
}

}  // namespace pgherd::agent
