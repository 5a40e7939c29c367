// The dynamic configuration inside a larger document: bootstrap.dcs of the agent's file, so that a mistake
// there is found before a cluster is made from it.
#pragma once

#include "codec/section.h"
#include "model/dynamic_config.h"

namespace pgherd {

DynamicConfig read_dynamic_config(const Section& section);

}  // namespace pgherd
