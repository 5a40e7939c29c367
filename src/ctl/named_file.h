// Files that are named on the command line, or found where a cluster is.
#pragma once

#include <string>

#include "base/result.h"

namespace pgherd::ctl {

// The whole of it. Whatever goes wrong has the given code, which becomes the exit code.
Result<std::string> read_named_file(const std::string& path, ErrorCode code);

}  // namespace pgherd::ctl
