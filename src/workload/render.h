// From specs to the texts of files.
#pragma once

#include <string>

#include "workload/spec.h"

namespace pgherd {

// The agent's configuration file of one member; parse_agent_config reads it back to the same values.
std::string render_agent_yaml(const ClusterSpec& cluster, const MemberSpec& member);

}  // namespace pgherd
