// `enter COMMAND`: one command of the command line beside a supervisor of its own, which ends with it, except
// after `start` and `stop`.
#pragma once

#include <optional>

#include "base/scope.h"
#include "supervisor/daemon.h"

namespace pgherd::supervisor {

class Enter {
  public:
    explicit Enter(Daemon& daemon);
    // The command's, once it has ended and the supervisor with it.
    std::optional<int> exit_code() const { return exit_code_; }

  private:
    void begin();
    void ended(int code);

    Daemon& daemon_;
    std::optional<int> exit_code_;
    Scope scope_;
};

}  // namespace pgherd::supervisor
