// The subcommands of the program.
#pragma once

#include <string>
#include <vector>

namespace pgherd::app {

// Runs the program with its arguments (args[0] is the name it was called by). Gives the exit code.
int run(const std::vector<std::string>& args);

// `pgherd agent CONFIG.yml`: the guard, which starts the brain below.
int agent_main(const std::vector<std::string>& args);
// The brain: what the guard runs. Its configuration comes as the same arguments, its line to the guard as an
// inherited descriptor.
int brain_main(const std::vector<std::string>& args);

}  // namespace pgherd::app
