// GET /metrics: Patroni's metrics under their names, and pgherd's own, in Prometheus' text format 0.0.4.
#pragma once

#include <string>

#include "agent/state.h"

namespace pgherd::agent {

std::string metrics_text(const AgentState& state);

}  // namespace pgherd::agent
