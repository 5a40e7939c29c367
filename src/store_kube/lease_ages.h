// When a lease has ended, as one observer sees it.
//
// Kubernetes ends nothing by itself, and clocks of different machines are not compared. So each observer
// counts on its own clock: a lease has ended when nothing of it has changed for its time to live, counted
// from when the observer saw the change. The holder counts from before it sent the change, so it is never the
// later one. Time in which the API did not answer this observer does not count: nobody could renew then, and
// an outage of the control plane ends no lease. After one, each lease has at least half its time left, since
// holder and observer need not notice at the same moment that it is over.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/strong.h"
#include "base/time.h"

namespace pgherd::kube {

class LeaseAges {
  public:
    // `sign`: whatever changes when the lease is renewed.
    void saw(LeaseId lease, const std::string& sign, Duration ttl, Instant now);
    void gone(LeaseId lease) { leases_.erase(lease); }
    void clear() { leases_.clear(); }
    // Seen in another way than by the watch, which will show it later.
    void renewed(LeaseId lease, const std::string& sign, Instant now);
    std::vector<LeaseId> all() const;
    // The sign that was last seen; empty when the lease is not known.
    std::string sign(LeaseId lease) const;

    // The API has answered, or has not to what it was asked then.
    void answered(Instant now);
    void silent(Instant asked);
    bool is_silent() const { return silent_since_.has_value(); }

    // The lease that ends first, and when.
    std::optional<std::pair<LeaseId, Instant>> next() const;

  private:
    struct Age {
        std::string sign;
        Duration ttl{};
        Instant since;
    };
    std::map<LeaseId, Age> leases_;
    Instant last_answer_;
    std::optional<Instant> silent_since_;
};

}  // namespace pgherd::kube
