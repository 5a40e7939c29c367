// What members say to one another over REST (GET /patroni, POST /failsafe).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/peer.h"

namespace pgherd {

// The body of GET /patroni. No `xlog` (or `wal`) key: an error, the peer counts as unreachable.
Result<PeerStatus> parse_peer_status(std::string_view body);

Result<FailsafeMessage> parse_failsafe_message(std::string_view body);
std::string write_failsafe_message(const FailsafeMessage& message);

// The answer to it is a status, a text and headers (their names in lower case).
// conflict: the member has said no. unavailable: nobody has said anything that counts.
Result<FailsafeAnswer> parse_failsafe_answer(int status, const std::map<std::string, std::string>& headers,
                                             std::string_view body);
std::vector<std::pair<std::string, std::string>> failsafe_answer_headers(const FailsafeAnswer& answer);

}  // namespace pgherd
