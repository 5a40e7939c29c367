// What a request about services means: which tasks, in which order, under which summary.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "supervise/change.h"

namespace pgherd::supervisor {

class Daemon;

// Errors are the texts for the client, code invalid; not_found: there are no default services.
Result<supervise::ChangeId> request_start(Daemon& daemon, const std::vector<std::string>& names);
Result<supervise::ChangeId> request_stop(Daemon& daemon, const std::vector<std::string>& names);
Result<supervise::ChangeId> request_restart(Daemon& daemon, const std::vector<std::string>& names);
Result<supervise::ChangeId> request_autostart(Daemon& daemon);
Result<supervise::ChangeId> request_replan(Daemon& daemon);
// Nothing when none runs.
std::optional<supervise::ChangeId> request_stop_all(Daemon& daemon);

}  // namespace pgherd::supervisor
