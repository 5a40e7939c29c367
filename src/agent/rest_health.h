// Health checks: what a load balancer, Kubernetes or a monitor asks with a path and reads from a status code
// (reference: Patroni 4.1, REST API, health checks).
#pragma once

#include <optional>

#include "agent/state.h"
#include "ports/http.h"

namespace pgherd::agent {

// 200 or 503 for a health check; nothing when `request.path` is none. The body is that of GET /patroni.
std::optional<int> health_status(const AgentState& state, const HttpRequest& request);

// 200 while the agent decides; 503 when it has not for longer than the lease (twice that on a standby).
int liveness_status(const AgentState& state);
// 200 when this member leads, or streams closely enough: `lag` bytes, or maximum_lag_on_failover;
// `mode=write` counts what was received instead of what was replayed.
int readiness_status(const AgentState& state, const HttpRequest& request);

}  // namespace pgherd::agent
