// Which standbys can be synchronous now, best first (reference: Patroni 4.11).
#pragma once

#include <vector>

#include "syncrep/syncrep.h"

namespace pgherd::syncrep {

struct Candidate {
    MemberName name;  // as the member calls itself; pg_stat_replication may differ in case
    int priority = 1;
    int standing = 0;  // 2: counts already, 1: potential, 0: asynchronous
    Lsn flushed;
};

std::vector<Candidate> candidates(const Input& input);

}  // namespace pgherd::syncrep
