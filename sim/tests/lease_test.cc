// The lease and its lock on the simulated store, which may refuse what it is asked for.
#include "agent/lease.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "sim/dice.h"
#include "sim/store/sim_store.h"
#include "sim/tests/agent_testing.h"

namespace pgherd::sim {
namespace {

using namespace std::chrono_literals;

// Grants leases for some times to live only.
class PickyStore final : public Store {
  public:
    PickyStore(SimStore& store, Clock& clock) : store_(store), clock_(clock) {}

    Duration refused{};      // leases for more than that, if it is more than 0
    int asked = 0;           // for such a one
    bool read_only = false;  // nobody may keep or get one

    void grant(Duration ttl, Instant deadline, Done<LeaseId> done) override {
        if (read_only) return deny(std::move(done));
        if (refused == Duration{} || ttl <= refused) return store_.grant(ttl, deadline, std::move(done));
        ++asked;
        clock_.post(
            [done = std::move(done)]() mutable { done(fail(ErrorCode::invalid, "the ttl is too large")); });
    }
    void load(Instant deadline, Done<SnapshotPtr> done) override { store_.load(deadline, std::move(done)); }
    std::unique_ptr<Watch> watch(Seen seen) override { return store_.watch(std::move(seen)); }
    void swap(Swap swap, Instant deadline, Done<Revision> done) override {
        store_.swap(std::move(swap), deadline, std::move(done));
    }
    void keep(LeaseId lease, Instant deadline, Done<Duration> done) override {
        if (read_only) return deny(std::move(done));
        store_.keep(lease, deadline, std::move(done));
    }
    void revoke(LeaseId lease, Instant deadline, Done<void> done) override {
        store_.revoke(lease, deadline, std::move(done));
    }
    std::string describe() const override { return "a picky store"; }

  private:
    template <class T>
    void deny(Done<T> done) {
        clock_.post(
            [done = std::move(done)]() mutable { done(fail(ErrorCode::denied, "you may only read")); });
    }

    SimStore& store_;
    Clock& clock_;
};

class LeaseTest : public ::testing::Test {
  protected:
    // The lock is taken with a lease for 5 s, and the agent's steps go on.
    LeaseTest() {
        lease_.configure(5s, 1s, false);
        mirror_.start();
        live(1s);
        lease_.acquire();
        live(1s);
    }
    void live(Duration duration) {
        for (const Instant end = clock_.now() + duration; clock_.now() < end;) {
            lease_.tick(true);
            clock_.run_for(100ms);
        }
    }
    std::size_t refusals_shown() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            log_.lines, [](const std::string& line) { return line.starts_with("lease-not-granted"); }));
    }
    bool holds_for(Duration least) const { return lease_.valid_until() >= clock_.now() + least; }

    VirtualClock clock_;
    Dice dice_{1};
    StoreServer server_{clock_};
    SimStore sim_store_{server_, clock_, dice_};
    PickyStore store_{sim_store_, clock_};
    NotedLog log_;
    SilentPostgres postgres_{clock_};
    agent::StoreMirror mirror_{store_, clock_, log_, [] {}};
    agent::Lease lease_{MemberName("m1"), store_, mirror_, clock_, postgres_, log_, [] {}};
};

TEST_F(LeaseTest, GoesOverToAnotherTimeToLive) {
    ASSERT_TRUE(holds_for(3s));
    const LeaseId before = lease_.id();
    lease_.configure(60s, 10s, false);
    live(1s);
    EXPECT_NE(lease_.id(), before);
    EXPECT_TRUE(holds_for(55s));
    EXPECT_EQ(postgres_.armed_until, lease_.end());
    lease_.configure(3s, 10s, false);
    live(10s);
    EXPECT_TRUE(holds_for(1s));
    EXPECT_FALSE(holds_for(4s));
    EXPECT_EQ(postgres_.armed_until, lease_.end());
}

TEST_F(LeaseTest, KeepsTheOldLeaseWhileTheStoreRefusesANewOne) {
    store_.refused = 5s;
    lease_.configure(60s, 10s, false);
    for (int second = 0; second < 100; ++second) {
        live(1s);
        ASSERT_TRUE(holds_for(2s)) << "after " << second << " s";
    }
    EXPECT_LE(store_.asked, 5) << "at a distance";
    EXPECT_GE(store_.asked, 3) << "but again";
    EXPECT_EQ(refusals_shown(), 1U);
    EXPECT_FALSE(lease_.withheld());

    store_.refused = Duration{};
    live(31s);
    EXPECT_TRUE(holds_for(45s)) << "the store has changed its mind";
}

TEST_F(LeaseTest, AsksAtOnceForATimeToLiveThatWasCorrected) {
    store_.refused = 10s;
    lease_.configure(60s, 10s, false);
    live(1s);
    lease_.configure(8s, 10s, false);
    live(1s);
    EXPECT_TRUE(holds_for(5s));
    EXPECT_EQ(store_.asked, 1);
}

TEST_F(LeaseTest, TellsThatTheStoreAnswersAndDoesNotRenewIt) {
    const LeaseId before = lease_.id();
    store_.read_only = true;
    live(2s);
    EXPECT_TRUE(lease_.withheld());
    EXPECT_TRUE(mirror_.ok());
    live(10s);
    EXPECT_TRUE(lease_.withheld()) << "when it has ended, too";
    EXPECT_FALSE(lease_.holds());
    store_.read_only = false;
    live(3s);
    EXPECT_FALSE(lease_.withheld());
    EXPECT_NE(lease_.id(), before);
    EXPECT_NE(lease_.id(), LeaseId());
}

}  // namespace
}  // namespace pgherd::sim
