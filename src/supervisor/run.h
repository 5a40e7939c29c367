// `pgherd supervisor run` and `enter`: the supervisor as a program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgherd::supervisor {

// `words` begin with "run" or "enter". Gives the exit code: 0 for an orderly end, 10 when a service's end and
// 11 when a check's failure was to end the supervisor, 1 when it could not run; of `enter`, the command's.
int supervisor_main(const std::vector<std::string>& words, std::string_view version);

}  // namespace pgherd::supervisor
