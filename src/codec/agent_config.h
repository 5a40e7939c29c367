// The agent's own configuration: a YAML file (or a directory of them) plus PATRONI_* variables (reference:
// Patroni 4.1).
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/agent_config.h"

namespace pgherd {

using Environment = std::map<std::string, std::string>;
Environment current_environment();

// Reads `path`. With an empty path the whole configuration comes from the variable PATRONI_CONFIGURATION and
// the others. An error names the file, the line and the key, and says what would be right; the first mistake
// is enough.
Result<AgentConfig> load_agent_config(const std::string& path, const Environment& environment);
// The same for a text; `source` is for messages.
Result<AgentConfig> parse_agent_config(std::string_view yaml, const std::string& source,
                                       const Environment& environment);
// YAML (one document) to JSON; an error names line and column.
Result<Json> parse_yaml(std::string_view yaml, const std::string& source);
std::string to_yaml(const Json& json);

}  // namespace pgherd
