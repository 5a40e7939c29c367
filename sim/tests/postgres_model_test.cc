// The model against what PostgreSQL does: timelines, who may stream from whom, synchronous commit, pg_rewind,
// the guard.
#include <gtest/gtest.h>

#include "sim/postgres/server.h"

namespace pgherd::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Notes final : public Witness {
  public:
    void opened(Server&) override {}
    void acknowledged(Server& server, std::size_t place, int, bool) override {
        acknowledged_.push_back(server.disk().wal[place].value);
    }
    void lost_connection(Server&, int) override { ++lost_; }
    void new_timeline(Server&, Timeline) override {}
    void promoting(Server&) override {}
    void violation(std::string_view invariant, std::string) override { violations_.emplace_back(invariant); }

    std::vector<std::uint64_t> acknowledged_;
    std::vector<std::string> violations_;
    int lost_ = 0;
};

class Model : public testing::Test {
  protected:
    Model() {
        for (int i = 0; i < 3; ++i) servers_.push_back(std::make_unique<Server>(world_, i));
        for (const auto& server : servers_) world_.servers.push_back(server.get());
        network_.on_change([this] {
            for (const auto& server : servers_) server->network_changed();
        });
    }
    Server& at(int i) { return *servers_[static_cast<std::size_t>(i)]; }
    static Upstream from(int member) { return {MemberName("m"), host_of(member), 5432, ""}; }

    template <class Operation>
    Status run(Operation operation) {
        std::optional<Status> result;
        operation([&](Status status) { result = std::move(status); });
        for (int i = 0; i < 600 && !result; ++i) clock_.run_for(milliseconds(100));
        return result ? *result : fail("no answer");
    }
    void arm(int i) {
        EXPECT_TRUE(
            run([&](Done<void> done) { at(i).arm(clock_.now() + seconds(100000), std::move(done)); }));
    }
    void bootstrap(int i) {
        arm(i);
        ASSERT_TRUE(run([&](Done<void> done) { at(i).bootstrap(std::move(done)); }));
    }
    Status start(int i, std::optional<int> upstream) {
        const StartSpec spec{upstream.has_value(), upstream ? from(*upstream) : Upstream{}};
        return run([&](Done<void> done) { at(i).start(spec, seconds(60), std::move(done)); });
    }
    void clone(int i, int source) {
        ASSERT_TRUE(run([&](Done<void> done) { at(i).clone(from(source), std::move(done)); }));
        ASSERT_TRUE(start(i, source));
        clock_.run_for(seconds(2));
    }
    Status promote(int i) {
        arm(i);
        return run([&](Done<void> done) { at(i).promote({}, std::move(done)); });
    }
    Status stop(int i, StopMode mode = StopMode::fast) {
        return run([&](Done<void> done) {
            at(i).stop(mode, false, clock_.now() + seconds(30), {}, std::move(done));
        });
    }
    Status rewind(int i, int source) {
        return run([&](Done<void> done) { at(i).rewind(from(source), std::move(done)); });
    }
    void sync_names(int i, const std::string& names) {
        at(i).set_sync_names(names, [](Result<Lsn>) {});
        clock_.run_for(seconds(1));
    }
    void cut(int a, int b) {
        network_.cut(a, b);
        network_.cut(b, a);
    }
    std::vector<std::uint64_t> commit(int i, std::uint64_t value) {
        notes_.acknowledged_.clear();
        EXPECT_TRUE(at(i).commit(0, value));
        clock_.run_for(seconds(1));
        return notes_.acknowledged_;
    }
    void three_members() {
        bootstrap(0);
        clone(1, 0);
        clone(2, 0);
    }
    using Values = std::vector<std::uint64_t>;

    VirtualClock clock_;
    Network network_{3, Dice(7)};
    Trace trace_{clock_, Trace::Reading::nothing};
    Notes notes_;
    World world_{clock_, network_, trace_, notes_, Dice(11)};
    std::vector<std::unique_ptr<Server>> servers_;
};

TEST_F(Model, ACommitReachesEveryStandby) {
    three_members();
    EXPECT_EQ(commit(0, 1), Values{1});
    EXPECT_TRUE(at(1).streaming());
    EXPECT_EQ(at(1).disk().wal.end(), at(0).disk().wal.end());
    EXPECT_EQ(at(2).disk().wal.end(), at(0).disk().wal.end());
}

TEST_F(Model, FirstWaitsForTheStandbyOfHighestPriorityThatStreams) {
    three_members();
    sync_names(0, "FIRST 1 (m2, m3)");
    cut(0, 1);
    EXPECT_EQ(commit(0, 1), Values{});           // m2 still counts as streaming
    clock_.run_for(seconds(10));                 // until its connection has timed out
    EXPECT_EQ(notes_.acknowledged_, Values{1});  // then m3 is the one
}

TEST_F(Model, AnyTakesWhateverConfirmsFirst) {
    three_members();
    sync_names(0, "ANY 1 (\"m2\",\"m3\")");
    cut(0, 1);
    EXPECT_EQ(commit(0, 1), Values{1});
    cut(0, 2);
    EXPECT_EQ(commit(0, 2), Values{});
    sync_names(0, "");
    EXPECT_EQ(notes_.acknowledged_, Values{2});
}

TEST_F(Model, ASynchronousCommitWaitsForeverWithoutAStandby) {
    bootstrap(0);
    sync_names(0, "1 (__nobody__)");
    EXPECT_EQ(commit(0, 1), Values{});
    EXPECT_TRUE(stop(0));
    EXPECT_EQ(notes_.lost_, 1);
}

TEST_F(Model, PromotionBeginsATimelineWhereTheOldOneEnded) {
    three_members();
    commit(0, 1);
    const Lsn end = at(1).disk().wal.end();
    at(0).kill_postmaster();
    clock_.run_for(seconds(1));
    ASSERT_TRUE(promote(1));
    EXPECT_EQ(at(1).disk().wal.timeline(), Timeline{2});
    EXPECT_EQ(at(1).history().switchpoints, (Switchpoints{{Timeline{1}, end}}));
}

TEST_F(Model, AStandbyFollowsANewTimelineThatBranchesOffAheadOfIt) {
    three_members();
    commit(0, 1);
    EXPECT_TRUE(stop(0));
    ASSERT_TRUE(promote(1));
    ASSERT_TRUE(run([&](Done<void> done) { at(2).follow(from(1), std::move(done)); }));
    clock_.run_for(seconds(2));
    EXPECT_TRUE(at(2).streaming());
    EXPECT_EQ(at(2).disk().wal.timeline(), Timeline{2});
}

TEST_F(Model, AFormerPrimaryStreamsAfterACleanStopWithoutARewind) {
    three_members();
    commit(0, 1);
    EXPECT_TRUE(stop(0));  // waits until both standbys have the shutdown checkpoint
    ASSERT_TRUE(promote(1));
    ASSERT_TRUE(start(0, 1));
    clock_.run_for(seconds(2));
    EXPECT_TRUE(at(0).streaming());
}

TEST_F(Model, AFormerPrimaryWithWalOfItsOwnCannotStream) {
    three_members();
    cut(0, 1);
    cut(0, 2);
    commit(0, 1);
    EXPECT_TRUE(stop(0, StopMode::immediate));
    network_.heal_everything();
    ASSERT_TRUE(promote(1));
    ASSERT_TRUE(start(0, 1));
    clock_.run_for(seconds(5));
    EXPECT_FALSE(at(0).streaming());
}

TEST_F(Model, RewindDoesNothingBeforeTheNewPrimaryHasMadeItsCheckpoint) {
    three_members();
    cut(0, 1);
    cut(0, 2);
    commit(0, 1);
    EXPECT_TRUE(stop(0, StopMode::immediate));
    network_.heal_everything();
    ASSERT_TRUE(promote(1));
    EXPECT_TRUE(rewind(0, 1));
    EXPECT_FALSE(at(0).disk().wal.is_prefix_of(at(1).disk().wal));
    ASSERT_TRUE(run([&](Done<void> done) { at(1).checkpoint(std::move(done)); }));
    EXPECT_TRUE(rewind(0, 1));
    EXPECT_TRUE(at(0).disk().wal.is_prefix_of(at(1).disk().wal));
    ASSERT_TRUE(start(0, 1));
    clock_.run_for(seconds(2));
    EXPECT_TRUE(at(0).streaming());
}

TEST_F(Model, TwoStandbysThatKnowNothingOfOneAnotherCreateTheSameTimeline) {
    three_members();
    EXPECT_TRUE(stop(0));
    ASSERT_TRUE(promote(1));
    ASSERT_TRUE(promote(2));
    EXPECT_EQ(at(1).disk().wal.timeline(), at(2).disk().wal.timeline());
}

TEST_F(Model, AFastStopWaitsForAConnectedStandbyAndNotForOneThatHasTimedOut) {
    three_members();
    cut(0, 1);
    const auto begin = clock_.now();
    EXPECT_TRUE(stop(0));
    EXPECT_GT(clock_.now() - begin, seconds(3));
    EXPECT_EQ(at(0).disk().control, ControlState::shut_down);
}

TEST_F(Model, AKilledPostmasterStillAcknowledgesForAMoment) {
    bootstrap(0);
    at(0).commit(0, 1);
    at(0).kill_postmaster();
    EXPECT_TRUE(at(0).writable());
    clock_.run_for(milliseconds(100));
    EXPECT_FALSE(at(0).writable());
    EXPECT_TRUE(at(0).observe(false).crashed);
}

TEST_F(Model, TheGuardEndsAPrimaryAtItsDeadlineAndLeavesAStandbyAlone) {
    three_members();
    bool fenced = false;
    at(0).on_event([&](PostgresEvent event) { fenced = event == PostgresEvent::guard_fenced; });
    for (int i : {0, 1})
        EXPECT_TRUE(run([&](Done<void> done) { at(i).arm(clock_.now() + seconds(2), std::move(done)); }));
    clock_.run_for(seconds(1));
    EXPECT_TRUE(at(0).writable());
    clock_.run_for(milliseconds(1100));
    EXPECT_FALSE(at(0).writable());
    EXPECT_TRUE(fenced);
    EXPECT_TRUE(at(1).standby());
}

TEST_F(Model, NothingRunsAsAPrimaryWhileTheGuardIsNotArmed) {
    three_members();
    EXPECT_FALSE(run([&](Done<void> done) { at(1).promote({}, std::move(done)); }));
    EXPECT_TRUE(at(1).standby());
}

TEST_F(Model, ASlotThatIsMissingKeepsAStandbyOut) {
    bootstrap(0);
    auto source = from(0);
    source.slot = "m2";
    ASSERT_TRUE(run([&](Done<void> done) { at(1).clone(source, std::move(done)); }));
    ASSERT_TRUE(run([&](Done<void> done) { at(1).start({true, source}, seconds(60), std::move(done)); }));
    clock_.run_for(seconds(2));
    EXPECT_FALSE(at(1).streaming());
    ASSERT_TRUE(run([&](Done<void> done) { at(0).sync_slots({"m2"}, std::move(done)); }));
    clock_.run_for(seconds(2));
    EXPECT_TRUE(at(1).streaming());
}

TEST_F(Model, APowerCutLosesWhatWasNotFlushed) {
    bootstrap(0);
    EXPECT_EQ(commit(0, 1), Values{1});
    at(0).commit(0, 2);
    at(0).power_off();
    EXPECT_EQ(at(0).disk().wal[at(0).disk().wal.size() - 1].value, 1U);
}

}  // namespace
}  // namespace pgherd::sim
