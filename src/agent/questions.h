// Questions to other members and servers: rounds of GET /patroni, failsafe confirmations, timeline histories.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/scope.h"
#include "ha/observation.h"
#include "model/cluster.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/peers.h"
#include "ports/postgres.h"

namespace pgherd::agent {

class Questions {
  public:
    Questions(Peers& peers, Postgres& postgres, Clock& clock, Log& log, std::function<void()> changed);

    // Asks `members` what they are; answers count as one round, complete when each has answered or failed to
    // by `limit`.
    void ask_peers(const ClusterView& view, const std::vector<MemberName>& members, Duration limit);
    const ha::PeerRound& peers() const { return round_; }
    bool asking() const { return outstanding_ > 0; }

    // Asks `members` to confirm this leader. Accepted by all: confirmed_until() is the start of the round
    // plus `ttl`.
    void ask_failsafe(const ClusterView& view, const std::vector<MemberName>& members,
                      const FailsafeMessage& message, Duration limit, Duration ttl);
    Instant confirmed_until() const { return confirmed_until_; }
    bool failsafe_failed() const { return failsafe_failed_; }
    void forget_failsafe();

    // Asks the server of `member` for its history.
    void ask_upstream(const MemberName& member, const Upstream& upstream, Revision leadership,
                      Duration limit);
    const std::optional<ha::UpstreamAnswer>& upstream() const { return upstream_; }

  private:
    void answered(std::uint64_t round, const MemberName& member, Result<PeerStatus> result);
    void confirmed(std::uint64_t round, bool accepted, Instant until);

    Peers& peers_;
    Postgres& postgres_;
    Clock& clock_;
    Log& log_;
    std::function<void()> changed_;
    ha::PeerRound round_;
    std::uint64_t round_number_ = 0;
    std::size_t outstanding_ = 0;
    std::uint64_t failsafe_number_ = 0;
    std::size_t failsafe_outstanding_ = 0;
    bool failsafe_refused_ = false;
    bool failsafe_failed_ = false;
    Instant confirmed_until_;
    std::optional<ha::UpstreamAnswer> upstream_;
    bool asking_upstream_ = false;
    Scope scope_;
};

}  // namespace pgherd::agent
