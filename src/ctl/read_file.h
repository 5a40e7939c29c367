// Files that are named on the command line, or found where a cluster is.
#pragma once

#include <string>

#include "base/result.h"

namespace pgherd::ctl {

// The whole of it. An error has the given code: `cannot read x: No such file or directory`.
Result<std::string> read_file(const std::string& path, ErrorCode code);

}  // namespace pgherd::ctl
