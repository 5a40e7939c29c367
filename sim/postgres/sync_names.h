// synchronous_standby_names, as PostgreSQL's own grammar reads it. Written apart from syncrep, which it
// checks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgherd::sim {

struct SyncNames {
    bool any = false;                // ANY; otherwise FIRST
    std::size_t count = 0;           // 0: synchronous replication is off
    std::vector<std::string> names;  // in order of priority; "*" stands for everybody

    bool off() const { return count == 0; }
    bool matches(std::size_t i,
                 std::string_view application) const;  // PostgreSQL compares without regard to case
};

SyncNames read_sync_names(std::string_view text);

}  // namespace pgherd::sim
