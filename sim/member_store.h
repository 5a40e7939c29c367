// The store as one member reaches it: over the simulated network, with everything that can go wrong on the
// way.
//
// The store itself (any Store, in a run the simulated one) answers at once; here requests and answers take
// time, are lost, or arrive after the caller has given up, which is what makes a write maybe-done. A watch
// that is cut off says so after a while, catches up when the network heals, and can stall without a word.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "ports/store.h"
#include "sim/clock.h"
#include "sim/gate.h"
#include "sim/network.h"

namespace pgherd::sim {

// What ails the store, for everybody.
struct StoreHealth {
    bool down = false;                         // nothing answers
    bool refusing = false;                     // says "unavailable" at once
    double late = 0;                           // chance that a request or its answer takes seconds
    double lost_answer = 0;                    // chance that an answer gets lost
    std::vector<Instant> watch_stalled_until;  // by member
    std::set<int> readers;                     // the members that it lets read only
};

class MemberStore final : public Store {
  public:
    MemberStore(Store& store, VirtualClock& clock, Network& network, const StoreHealth& health, Dice dice,
                int member)
        : store_(store), clock_(clock), network_(network), health_(health), dice_(dice), member_(member) {}
    // Requests outlive the brain that sent them; answers go to the brain that lives now, if it asked.
    void serve(GatePtr gate) { gate_ = std::move(gate); }

    void load(Instant deadline, Done<SnapshotPtr> done) override;
    [[nodiscard]] std::unique_ptr<Watch> watch(Seen seen) override;
    void swap(Swap swap, Instant deadline, Done<Revision> done) override;
    void grant(Duration ttl, Instant deadline, Done<LeaseId> done) override;
    void keep(LeaseId lease, Instant deadline, Done<Duration> done) override;
    void revoke(LeaseId lease, Instant deadline, Done<void> done) override;
    std::string describe() const override { return "simulated store"; }

  private:
    class Feed;
    template <class T, class Request>
    void ask(bool write, Instant deadline, Done<T> done, Request request);
    bool reached() const { return !health_.down && network_.hears(network_.store(), member_); }
    bool heard() const { return !health_.down && network_.hears(member_, network_.store()); }
    Duration delay() {
        return dice_.chance(health_.late)
                   ? dice_.between(std::chrono::milliseconds(200), std::chrono::seconds(6))
                   : network_.delay();
    }

    Store& store_;
    VirtualClock& clock_;
    Network& network_;
    const StoreHealth& health_;
    Dice dice_;
    int member_;
    GatePtr gate_;
};

}  // namespace pgherd::sim
