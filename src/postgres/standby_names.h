// synchronous_standby_names as PostgreSQL understands it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgherd::postgres {

struct StandbyNames {
    bool quorum = false;             // ANY; otherwise FIRST
    std::vector<std::string> names;  // as listed; "*" is everybody

    // What pg_stat_replication.sync_priority shows for a walsender that has this setting; 0 = not listed.
    int priority(std::string_view application_name) const;
};

// "ANY 2 (\"a\",b)", "FIRST 1 (a)", "2 (a, b)", "a, b". Nothing listed = nobody.
StandbyNames parse_standby_names(std::string_view setting);

}  // namespace pgherd::postgres
