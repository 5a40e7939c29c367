// A member's tags: from the configuration and from its record in the store.
#pragma once

#include "codec/section.h"

namespace pgherd {

// Tags of another member: what cannot be read counts as not given. Of two that contradict each other
// ("nofailover: false" and "failover_priority: 0") the plain one wins, as in Patroni.
Tags parse_tags(const JsonObject& all);
// One's own: what cannot be read is a mistake. Plain tags that are false are not worth publishing and left
// out of `all`.
Tags read_tags(const Section& section);

}  // namespace pgherd
