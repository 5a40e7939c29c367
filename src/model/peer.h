// What members tell one another over their REST API (Patroni's `GET /patroni` and `POST /failsafe`).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/lsn.h"
#include "base/strong.h"
#include "base/time.h"
#include "model/member.h"

namespace pgherd {

// What GET /patroni says. The status code does not matter, the body does.
struct PeerStatus {
    MemberState state = MemberState::stopped;
    Role role = Role::uninitialized;
    bool in_recovery = true;  // false: it runs as a primary
    WalPosition position;     // standby: max(received, replayed); timeline 0 = it did not say
    bool nofailover = false;
    int failover_priority = 1;
    bool watchdog_failed = false;
    bool failsafe_bound = false;   // it has confirmed a leader that lost the store, and that still counts
    bool failsafe_unsure = false;  // it was started so recently that it may have, and not know
    bool pause = false;
    std::optional<std::uint64_t> system_id;
};

// POST /failsafe of a leader that has lost the store.
struct FailsafeMessage {
    MemberName name;
    std::string conn_url;
    std::string api_url;
    std::map<std::string, Lsn> slots;
    // Not in Patroni's message:
    Duration ttl{};       // for how long a confirmation is to bind; 0: it does not say
    Revision leadership;  // of its leader record
};
struct FailsafeAnswer {
    Lsn position;        // header `lsn`, 0 if missing
    bool voted = false;  // header `voted` (pgherd's own): a candidate may count on this member already
};

}  // namespace pgherd
