// The other members, asked directly over their REST API (Patroni's, so a peer may be a Patroni).
#pragma once

#include <string>

#include "base/time.h"
#include "model/peer.h"
#include "ports/completion.h"

namespace pgherd {

class Peers {
  public:
    virtual ~Peers() = default;
    // `api_url` as published by the member ("http://10.0.0.1:8008/patroni"), with a query if there is one.
    virtual void ask(const std::string& api_url, Instant deadline, Done<PeerStatus> done) = 0;
    // Succeeds only when the peer has accepted; ErrorCode::conflict: it has said no.
    virtual void failsafe(const std::string& api_url, FailsafeMessage message, Instant deadline,
                          Done<FailsafeAnswer> done) = 0;
};

}  // namespace pgherd
