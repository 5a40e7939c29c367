// `pgherd up` and `pgherd down`: a cluster on one machine (see README.md).
#pragma once

#include <span>
#include <string>

namespace pgherd::local {

// Give the exit code: 0 done, 1 it could not be done, 2 wrong usage.
int up_main(std::span<const std::string> args);
int down_main(std::span<const std::string> args);

}  // namespace pgherd::local
