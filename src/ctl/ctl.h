// `pgherd ctl`: patronictl's verbs for a cluster of pgherd or Patroni.
#pragma once

#include <span>
#include <string>

namespace pgherd {

// `args`: without the program and the subcommand. Exit code: 0 done, 1 the operation failed, 2 usage, 3 the
// cluster or its store was not found or cannot be reached.
int ctl_main(std::span<const std::string> args);

}  // namespace pgherd
