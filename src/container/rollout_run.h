// `pgherd container rollout`: replaces the pods of a StatefulSet whose update strategy is OnDelete, one at a
// time, in the order that `rollout` says. Runs beside every agent; acts where the primary is. A failover does
// not need it.
#pragma once

#include <string>

#include "base/result.h"

namespace pgherd::container {

// Runs until it is told to end (SIGTERM). `agent_config`: the agent's configuration, a file or a directory.
Status run_rollout(const std::string& agent_config);

}  // namespace pgherd::container
