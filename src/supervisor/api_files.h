// GET and POST /v1/files: list, read, write, make directories, remove.
#pragma once

#include <vector>

#include "supervisor/route.h"

namespace pgherd::supervisor {

std::vector<Route> files_routes();

}  // namespace pgherd::supervisor
