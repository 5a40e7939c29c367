// What members tell one another over their REST API (Patroni's `GET /patroni` and `POST /failsafe`).
#pragma once

#include <map>
#include <string>

#include "base/lsn.h"
#include "base/strong.h"
#include "base/time.h"
#include "model/member.h"

namespace pgherd {

// Whom a question is for, and who answers it: an address may belong to another member by now, or to another
// cluster.
struct PeerIdentity {
    MemberName name;
    std::string scope;   // the cluster's name
    SystemId system_id;  // … and which one of that name

    // Nothing that both of them know is different. Old versions of Patroni do not tell their name.
    bool may_be(const PeerIdentity& other) const;
    bool operator==(const PeerIdentity&) const = default;
};
// `"c3" of the cluster "demo" (system id 7123)`
std::string to_string(const PeerIdentity& identity);

// What GET /patroni says. The status code does not matter, the body does.
struct PeerStatus {
    PeerIdentity from;
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
    PeerIdentity to;
};
struct FailsafeAnswer {
    Lsn position;  // 0: it does not say
    // Not in Patroni's answer, which is "Accepted" whoever gives it:
    bool voted = false;  // a candidate may count on this member already
    PeerIdentity from;
};

}  // namespace pgherd
