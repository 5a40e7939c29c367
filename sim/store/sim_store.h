// The store of a simulation: one server that holds the truth, and a client for each who talks to it.
//
// `StoreServer` does what the contract of ports/store.h says, at once and without faults; leases end by the
// virtual clock. `SimStore` is the Store port on it, with a way there and back that the simulation spoils:
// requests and answers are late or lost (so that a write is maybe done, or is done long after its caller gave
// up), the server is out of reach or refuses, watches lag, stall and break. Faults may be changed at any
// moment; without any, answers come in the next step.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "ports/random.h"
#include "ports/store.h"
#include "sim/clock.h"

namespace pgherd::sim {

class StoreServer {
  public:
    explicit StoreServer(VirtualClock& clock) : clock_(clock) {}
    StoreServer(const StoreServer&) = delete;
    StoreServer& operator=(const StoreServer&) = delete;

    SnapshotPtr snapshot();
    Result<Revision> swap(const Swap& swap);
    LeaseId grant(Duration ttl);
    Result<Duration> keep(LeaseId lease);
    Status revoke(LeaseId lease);

    // Called after every change, until the token is destroyed; must not call the server.
    [[nodiscard]] std::shared_ptr<void> on_change(std::function<void()> changed);

  private:
    struct Lease {
        Duration ttl;
        Instant ends;
    };
    void end_expired();
    void end_lease(std::map<LeaseId, Lease>::iterator lease);
    void set_alarm();
    Revision raise();

    VirtualClock& clock_;
    Revision revision_{1};
    std::map<std::string, Record> records_;
    SnapshotPtr snapshot_;  // of the records; null after a change
    std::map<LeaseId, Lease> leases_;
    std::int64_t next_lease_ = 1;
    Timer alarm_;
    std::list<std::weak_ptr<std::function<void()>>> listeners_;
};

// What ails one client's way to the server. Chances are from 0 to 1.
struct StoreFaults {
    bool reachable = true;  // false: requests vanish and watches fall silent, then break
    bool refusing = false;  // the server answers "unavailable" to everything
    Duration delay_min{};   // each way
    Duration delay_max{};
    double request_lost = 0;  // never arrives
    double request_late = 0;  // arrives up to `late_max` after it was sent, whatever its deadline
    double answer_lost = 0;
    Duration late_max = std::chrono::seconds(10);
    Duration watch_delay_max{};
    bool watch_stalled = false;                             // shows nothing new, and no error
    Duration watch_breaks_after = std::chrono::seconds(2);  // how long an unreachable server goes unnoticed
};

class SimStore final : public Store {
  public:
    SimStore(StoreServer& server, VirtualClock& clock, Random& random, std::string name = "simulated store");
    ~SimStore() override;

    // The latest order counts for what is sent, answered or shown from now on.
    void set_faults(const StoreFaults& faults);
    const StoreFaults& faults() const { return faults_; }
    // The watches break now, as after a reconnect or a compaction, and read everything anew.
    void interrupt();
    void lose_next_answer() { ++answers_to_lose_; }  // of a write

    void load(Instant deadline, Done<SnapshotPtr> done) override;
    [[nodiscard]] std::unique_ptr<Watch> watch(Seen seen) override;
    void swap(Swap swap, Instant deadline, Done<Revision> done) override;
    void grant(Duration ttl, Instant deadline, Done<LeaseId> done) override;
    void keep(LeaseId lease, Instant deadline, Done<Duration> done) override;
    void revoke(LeaseId lease, Instant deadline, Done<void> done) override;
    std::string describe() const override { return name_; }

  private:
    class Feed;
    class Handle;
    enum class Kind { read, write };
    template <class T, class Request>
    void ask(Kind kind, Instant deadline, Done<T> done, Request request);
    void send_back(Kind kind, Then answer);
    template <class Function>
    auto while_alive(Function function) const;
    bool chance(double probability);
    Duration between(Duration low, Duration high);
    Duration way() { return between(faults_.delay_min, faults_.delay_max); }

    StoreServer& server_;
    VirtualClock& clock_;
    Random& random_;
    std::string name_;
    StoreFaults faults_;
    int answers_to_lose_ = 0;
    std::list<std::weak_ptr<Feed>> feeds_;
    std::shared_ptr<SimStore*> alive_;
};

}  // namespace pgherd::sim
