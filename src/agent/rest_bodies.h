// The JSON bodies of the REST API's read endpoints, as Patroni 4.1 writes them (reference: REST API;
// mixed-cluster contract).
#pragma once

#include <optional>

#include "agent/state.h"
#include "model/peer.h"

namespace pgherd::agent {

// GET /patroni, and every health check. Other members read it in a leader race: without `xlog` they count us
// as unreachable.
JsonObject patroni_body(const AgentState& state);
JsonObject cluster_body(const AgentState& state);
// Nothing: there is no such record, or the mode is off.
std::optional<JsonObject> config_body(const AgentState& state);
std::optional<JsonObject> failsafe_body(const AgentState& state);

// What /patroni, health checks and metrics agree on. The state is "unknown" when the server runs but does not
// answer.
std::string_view state_text(const AgentState& state);
// Runs and answers.
bool answers(const AgentState& state);
// A synchronous standby by the store's record; `quorum`: in which of the two modes.
bool is_sync_standby(const AgentState& state, bool quorum);
std::optional<SystemId> system_id(const AgentState& state);
PeerIdentity identity(const AgentState& state);
std::int64_t epoch_seconds(WallTime time);

}  // namespace pgherd::agent
