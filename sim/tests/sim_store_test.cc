// The simulated store: the suite that every store passes, and the faults that only a simulation can order.
#include "sim/store/sim_store.h"

#include <optional>

#include <gtest/gtest.h>

#include "ports/testing/store_conformance.h"
#include "sim/dice.h"

namespace pgherd::sim {
namespace {

using namespace std::chrono_literals;

// Every delay is drawn, so that answers and watches overtake each other.
class SimBackend final : public StoreBackend {
  public:
    explicit SimBackend(StoreFaults faults) : faults_(faults) {}

    std::unique_ptr<Store> client() override {
        auto client = std::make_unique<SimStore>(server_, clock_, dice_);
        client->set_faults(faults_);
        clients_.push_back(client.get());
        return client;
    }
    Clock& clock() override { return clock_; }
    bool run_until(const std::function<bool()>& condition, Duration limit) override {
        const Instant end = clock_.now() + limit;
        const Timer timer = clock_.call_at(end, [] {});
        while (!condition()) {
            if (clock_.now() >= end || !clock_.run_one()) return condition();
        }
        return true;
    }
    bool interrupt() override {
        for (SimStore* client : clients_) client->interrupt();
        return true;
    }
    bool lose_next_answer() override {
        clients_.front()->lose_next_answer();
        return true;
    }
    Duration shortest_ttl() const override { return 200ms; }
    Duration expiry_slack() const override { return 100ms; }

  private:
    StoreFaults faults_;
    VirtualClock clock_;
    Dice dice_{7};
    StoreServer server_{clock_};
    std::vector<SimStore*> clients_;
};

std::unique_ptr<StoreBackend> prompt() {
    return std::make_unique<SimBackend>(StoreFaults{});
}
std::unique_ptr<StoreBackend> slow() {
    return std::make_unique<SimBackend>(
        StoreFaults{.delay_min = 100us, .delay_max = 5ms, .watch_delay_max = 50ms});
}

class SimStoreFaults : public ::testing::Test {
  protected:
    Result<Revision> put(SimStore& store, std::string value, Duration limit = 1s) {
        std::optional<Result<Revision>> answer;
        store.swap({"leader", Always{}, std::move(value), {}}, clock_.now() + limit,
                   [&](Result<Revision> result) { answer = std::move(result); });
        clock_.run_for(limit);
        EXPECT_TRUE(answer) << "no answer by the deadline";
        return answer ? std::move(*answer) : fail("no answer");
    }
    std::string value() {
        const auto snapshot = server_.snapshot();
        const auto it = snapshot->records.find("leader");
        return it == snapshot->records.end() ? "" : it->second.value;
    }

    VirtualClock clock_;
    Dice dice_{1};
    StoreServer server_{clock_};
    SimStore a_{server_, clock_, dice_};
    SimStore b_{server_, clock_, dice_};
};

TEST_F(SimStoreFaults, ALostRequestIsMaybeDoneForItsSenderAndDoesNothing) {
    a_.set_faults({.request_lost = 1});
    const auto result = put(a_, "m1");
    EXPECT_TRUE(!result && result.error().maybe_done() && result.error().code == ErrorCode::timeout);
    EXPECT_EQ(value(), "");
}

TEST_F(SimStoreFaults, ALostAnswerIsMaybeDoneAndDone) {
    a_.set_faults({.answer_lost = 1});
    const auto result = put(a_, "m1");
    EXPECT_TRUE(!result && result.error().maybe_done());
    EXPECT_EQ(value(), "m1");
}

TEST_F(SimStoreFaults, ALateRequestIsAppliedAfterItsCallerGaveUp) {
    a_.set_faults({.delay_min = 3s, .delay_max = 3s});
    const auto result = put(a_, "late");
    EXPECT_TRUE(!result && result.error().maybe_done());
    EXPECT_TRUE(put(b_, "newer"));
    EXPECT_EQ(value(), "newer");
    clock_.run_for(2s);
    EXPECT_EQ(value(), "late");
}

TEST_F(SimStoreFaults, AStoreThatRefusesSaysSoAtOnceAndDoesNothing) {
    a_.set_faults({.refusing = true});
    const auto result = put(a_, "m1");
    EXPECT_TRUE(!result && !result.error().maybe_done() && result.error().code == ErrorCode::unavailable);
    EXPECT_EQ(value(), "");
}

TEST_F(SimStoreFaults, AnOutageForOneClientLeavesTheOthersAlone) {
    a_.set_faults({.reachable = false});
    EXPECT_FALSE(put(a_, "m1"));
    EXPECT_TRUE(put(b_, "m2"));
    a_.set_faults({});
    EXPECT_TRUE(put(a_, "m1"));
}

TEST_F(SimStoreFaults, AWatchThatIsCutOffBreaksOnceAndThenCatchesUp) {
    std::vector<std::string> seen;
    const auto watch = a_.watch([&](Result<SnapshotPtr> result) {
        seen.push_back(
            result ? ((*result)->records.contains("leader") ? (*result)->records.at("leader").value : "-")
                   : "error");
    });
    clock_.run_for(1s);
    a_.set_faults({.reachable = false});
    EXPECT_TRUE(put(b_, "1"));
    EXPECT_TRUE(put(b_, "2"));
    clock_.run_for(10s);
    a_.set_faults({});
    clock_.run_for(1s);
    EXPECT_EQ(seen, (std::vector<std::string>{"-", "error", "2"}));
}

TEST_F(SimStoreFaults, AStalledWatchIsStaleWithoutAWord) {
    std::vector<std::string> seen;
    const auto watch = a_.watch([&](Result<SnapshotPtr> result) {
        ASSERT_TRUE(result);
        seen.push_back(std::to_string((*result)->records.size()));
    });
    clock_.run_for(1s);
    a_.set_faults({.watch_stalled = true});
    EXPECT_TRUE(put(b_, "1"));
    clock_.run_for(60s);
    EXPECT_EQ(seen, (std::vector<std::string>{"0"}));
    a_.set_faults({});
    clock_.run_for(1s);
    EXPECT_EQ(seen, (std::vector<std::string>{"0", "1"}));
}

}  // namespace
}  // namespace pgherd::sim

namespace pgherd {
INSTANTIATE_TEST_SUITE_P(Sim, StoreConformance,
                         ::testing::Values(StoreBackendCase{"prompt", sim::prompt},
                                           StoreBackendCase{"slow", sim::slow}),
                         store_backend_name);
}  // namespace pgherd
