// The list of members, as `list` and `topology` show it (columns and rules: reference, Patroni 4.1's
// patronictl).
#pragma once

#include <string>

#include "ctl/table.h"
#include "model/cluster.h"

namespace pgherd::ctl {

struct ListOptions {
    Format format = Format::pretty;
    bool extended = false;   // the columns of restarts and tags even if nobody has any
    bool timestamp = false;  // the time in front
};

// "Leader", "Standby Leader", "Sync Standby", "Quorum Standby" or "Replica".
std::string role_text(const ClusterView& view, const Member& member);

// Ends with a newline. Lags are those that Patroni shows: of what a member says of itself behind the leader's
// `status`.
std::string render_list(const ClusterView& view, const std::string& scope, const ListOptions& options,
                        WallTime now);

}  // namespace pgherd::ctl
