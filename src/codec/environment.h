// PATRONI_* variables as a document that is merged over the file.
#pragma once

#include "codec/agent_config.h"
#include "codec/section.h"

namespace pgherd {

struct EnvironmentDocument {
    JsonObject object;
    Places places;  // key -> variable
};

Result<EnvironmentDocument> read_environment(const Environment& environment);

}  // namespace pgherd
