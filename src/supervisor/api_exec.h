// POST /v1/exec and the websockets of its commands.
#pragma once

#include <vector>

#include "supervisor/route.h"

namespace pgherd::supervisor {

std::vector<Route> exec_routes();

}  // namespace pgherd::supervisor
