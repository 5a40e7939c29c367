// What members say to one another over REST (GET /patroni, POST /failsafe).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/peer.h"

namespace pgherd {

// The body of GET /patroni. No `xlog` (or `wal`) key: an error, the peer counts as unreachable.
Result<PeerStatus> parse_peer_status(std::string_view body);
Result<FailsafeMessage> parse_failsafe_message(std::string_view body);
std::string write_failsafe_message(const FailsafeMessage& message);

}  // namespace pgherd
