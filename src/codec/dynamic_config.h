// The dynamic configuration: document ⇄ value (reference: Patroni 4.1, dynamic configuration).
#pragma once

#include "base/result.h"
#include "model/dynamic_config.h"

namespace pgherd {

// Understands a document: defaults, aliases (master_start_timeout, permanent_slots, …), units, and the rule
// loop_wait + 2 * retry_timeout <= ttl, adjusted as Patroni does but with pgherd's lower limits (ttl 2 s,
// loop_wait 1 s, retry_timeout 1 s: the guard makes them safe). A value of a wrong type is an error that
// names its key; unknown keys are kept.
Result<DynamicConfig> parse_dynamic_config(const JsonObject& document);

}  // namespace pgherd
