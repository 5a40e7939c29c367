// `pgherd writes`: writes an increasing number per transaction through failures, and checks afterwards that
// every acknowledged one is there, once.
#pragma once

#include <span>
#include <string>

namespace pgherd {

// `args`: without the program and the subcommand. Exit code: 0 nothing lost, 1 lost or duplicated values, 2
// usage, 3 no connection, or the check was impossible.
int writes_main(std::span<const std::string> args);

}  // namespace pgherd
