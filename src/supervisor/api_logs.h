// GET /v1/logs: what services wrote, as lines of JSON, and what they go on to write.
#pragma once

#include <vector>

#include "supervisor/route.h"

namespace pgherd::supervisor {

std::vector<Route> log_routes();

}  // namespace pgherd::supervisor
