// Who may change something over the REST API (reference: Patroni 4.1, REST API, access control).
//
// Reading is open, as in Patroni. A change needs, as far as configured: an address on the allowlist, a client
// certificate, and the credentials. Stricter than Patroni: with none of the three configured only this
// machine may change something. Knows no resolver: allowlist entries are addresses, networks ("10.0.0.0/8")
// or "localhost".
#pragma once

#include <optional>
#include <string_view>

#include "agent/state.h"
#include "ports/http.h"

namespace pgherd::agent {

enum class Caller {
    anyone,  // users and their tools
    member,  // POST /failsafe: comes from other members, so neither the allowlist nor the rule for this
             // machine applies
};

// The refusal (401, 403), or nothing.
std::optional<HttpResponse> refuse_access(const AgentState& state, const HttpRequest& request, Caller caller);

bool is_loopback(std::string_view address);
// `network`: an address, a network in CIDR notation, or "localhost". IPv4 addresses within IPv6
// ("::ffff:10.0.0.1") are IPv4.
bool in_network(std::string_view address, std::string_view network);

}  // namespace pgherd::agent
