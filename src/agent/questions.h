// Questions to other members and servers: rounds of GET /patroni, failsafe confirmations, timeline histories.
//
// A member is asked at the address that it was last known to have, and addresses are given to others in time:
// an answer counts only if it may be from the one who was asked. (Of a server nothing tells the member's
// name; its history counts by its system id, and because it takes writes while that member leads.)
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/scope.h"
#include "ha/observation.h"
#include "model/cluster.h"
#include "model/peer.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/peers.h"
#include "ports/postgres.h"

namespace pgherd::agent {

class Questions {
  public:
    Questions(std::string cluster, Peers& peers, Postgres& postgres, Clock& clock, Log& log,
              std::function<void()> changed);

    // Asks `members` what they are; answers count as one round, complete when each has answered or failed to
    // by `limit`.
    // `as_candidate`: what a voter answers then, it keeps to for a while.
    void ask_peers(const ClusterView& view, const std::vector<MemberName>& members, Duration limit,
                   bool as_candidate);
    const ha::PeerRound& peers() const { return round_; }
    bool asking() const { return outstanding_ > 0; }

    // Asks `members` to confirm this leader. A confirmation counts for `message.ttl` from now.
    void ask_failsafe(const ClusterView& view, const std::vector<MemberName>& members,
                      const FailsafeMessage& message, Duration limit);
    const std::map<MemberName, ha::Confirmation>& confirmations() const { return confirmations_; }
    Instant failsafe_round_until() const { return failsafe_round_until_; }
    // A member has refused, and has not confirmed since.
    bool failsafe_vetoed() const { return !vetoes_.empty(); }
    void forget_failsafe();

    // Asks the server of `member` for its history.
    void ask_upstream(const MemberName& member, const Upstream& upstream, Revision leadership,
                      Duration limit);
    const std::optional<ha::UpstreamAnswer>& upstream() const { return upstream_; }

  private:
    PeerIdentity whom(const MemberName& name, const ClusterView& view) const;
    void answered(std::uint64_t round, const PeerIdentity& asked, const Result<PeerStatus>& result);
    void ask_who_hears(const std::string& url, FailsafeMessage message, Instant until, Instant deadline);
    void confirmed(const PeerIdentity& asked, Instant until, const Result<FailsafeAnswer>& result);

    std::string cluster_;
    Peers& peers_;
    Postgres& postgres_;
    Clock& clock_;
    Log& log_;
    std::function<void()> changed_;
    ha::PeerRound round_;
    std::uint64_t round_number_ = 0;
    std::size_t outstanding_ = 0;
    std::uint64_t failsafe_number_ = 0;  // of the outage: answers from before the last one are worth nothing
    std::set<MemberName> confirming_;
    std::map<MemberName, ha::Confirmation> confirmations_;
    std::set<MemberName> vetoes_;
    Instant failsafe_round_until_;
    std::optional<ha::UpstreamAnswer> upstream_;
    bool asking_upstream_ = false;
    Scope scope_;
};

}  // namespace pgherd::agent
