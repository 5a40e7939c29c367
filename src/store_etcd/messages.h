// etcd's v3 messages as its JSON gateway takes and gives them: bytes in base64, 64-bit numbers as text, zeros
// left out.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/member.h"
#include "ports/store.h"

namespace pgherd::etcd {

std::string range_message(const std::string& prefix);
std::string txn_message(const std::string& prefix, const Swap& swap);
std::string watch_message(const std::string& prefix, Revision from);
std::string grant_message(Duration ttl);
std::string lease_message(LeaseId lease);
std::string login_message(const std::string& username, const std::string& password);

Result<Snapshot> parse_range(const JsonObject& message, const std::string& prefix);
// The revision, or conflict.
Result<Revision> parse_txn(const JsonObject& message, const std::string& key);
Result<LeaseId> parse_grant(const JsonObject& message);
// not_found when nothing is left of the lease.
Result<Duration> parse_keep_alive(const JsonObject& message);

// One line of a watch stream, applied to a snapshot. Gives whether something changed. An error ends the
// stream: etcd has cancelled it (compaction, lost leader), or does not make sense.
Result<bool> apply_watch_line(std::string_view line, const std::string& prefix, Snapshot& snapshot);

// An error as etcd reports it, in an HTTP body or within a stream.
struct Failure {
    int code = 0;  // gRPC's
    std::string message;
};
// Nothing when the body is no report of etcd's (a proxy's page, another server).
std::optional<Failure> parse_failure(std::string_view body);

// What follows from it. etcd did not act when it says so; a time-out or a lost leader leaves it open.
struct Verdict {
    Error error;
    bool log_in_again = false;
    bool try_elsewhere = false;  // another endpoint may do better
};
Verdict judge(const Failure& failure);

}  // namespace pgherd::etcd
