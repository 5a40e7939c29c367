// `pgherd container`: what an image of pgherd starts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgherd::container {

// Gives the exit code: the supervisor's, 1 when the settings forbid to run, 2 for wrong usage.
int container_main(const std::vector<std::string>& args, std::string_view version);

}  // namespace pgherd::container
