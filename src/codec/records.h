// The records of the store, in Patroni's JSON (reference: Patroni 4.1, etcd v3 layout).
//
// Reading is tolerant: an unreadable record counts as absent (for `config` the reason is kept), unknown keys
// of members are kept. Writing gives exactly Patroni's form, so that a Patroni member and patronictl
// understand it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/cluster.h"

namespace pgherd {

struct StoredRecord {
    std::string value;
    Revision modified;
    LeaseId lease;
};

// Keys without the cluster's prefix: "leader", "members/a", ….
ClusterView parse_cluster(Revision revision, const std::map<std::string, StoredRecord>& records);

Result<Member> parse_member(const MemberName& name, std::string_view value);  // also the legacy URL form
std::string write_member(const Member& member);
Result<FailoverRequest> parse_failover(std::string_view value);  // also the legacy "leader:candidate"
std::string write_failover(const FailoverRequest& request);
Result<SyncRecord> parse_sync(std::string_view value);
std::string write_sync(const SyncRecord& record);
Result<StatusRecord> parse_status(std::string_view value);
std::string write_status(const StatusRecord& record);
Result<std::vector<HistoryLine>> parse_history(std::string_view value);
Result<TimelineClaim> parse_timeline(std::string_view value);
std::string write_timeline(const TimelineClaim& claim);
std::string write_history(const std::vector<HistoryLine>& history);
std::string write_failsafe(const std::map<MemberName, std::string>& members);

}  // namespace pgherd
