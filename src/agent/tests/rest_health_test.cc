// Health checks: one table of paths against the kinds of member.
#include <gtest/gtest.h>

#include "rest_state.h"

namespace pgherd::agent {
namespace {

AgentState sync_replica(SynchronousMode mode) {
    AgentState state = replica();
    state.seen.config.synchronous_mode = mode;
    ClusterView view = three_members();
    view.sync = {MemberName("c1"), 0, {MemberName("c2")}, Revision(3)};
    show(state, view);
    return state;
}

AgentState standby_leader() {
    AgentState state = replica();
    state.published.role = Role::standby_leader;
    state.seen.config.standby_cluster = StandbyClusterSpec{};
    state.seen.lock_valid_until = kNow + std::chrono::seconds(20);
    ClusterView view = three_members();
    view.leader->name = MemberName("c2");
    show(state, view);
    return state;
}

AgentState stopped() {
    AgentState state = replica();
    state.seen.pg = {};
    state.published.state = MemberState::stopped;
    return state;
}

TEST(RestHealth, EveryPathAnswersForEveryKindOfMember) {
    struct Row {
        const char* path;
        bool primary, replica, sync, quorum, standby_leader, stopped;
    };
    const Row rows[] = {
        {"/", true, false, false, false, false, false},
        {"/primary", true, false, false, false, false, false},
        {"/read-write", true, false, false, false, false, false},
        {"/master", true, false, false, false, false, false},
        {"/leader", true, false, false, false, true, false},
        {"/standby-leader", false, false, false, false, true, false},
        {"/standby_leader", false, false, false, false, true, false},
        {"/replica", false, true, true, true, false, false},
        {"/read-only", true, true, true, true, true, false},
        {"/health", true, true, true, true, true, false},
        {"/sync", false, false, true, false, false, false},
        {"/synchronous", false, false, true, false, false, false},
        {"/quorum", false, false, false, true, false, false},
        {"/async", false, true, false, false, false, false},
        {"/asynchronous", false, true, false, false, false, false},
        {"/read-only-sync", true, false, true, false, true, false},
        {"/read-only-synchronous", true, false, true, false, true, false},
        {"/read-only-quorum", true, false, false, true, true, false},
    };
    Api a(primary()), b(replica()), c(sync_replica(SynchronousMode::on)),
        d(sync_replica(SynchronousMode::quorum)), e(standby_leader()), f(stopped());
    for (const Row& row : rows) {
        SCOPED_TRACE(row.path);
        EXPECT_EQ(a.status(row.path), row.primary ? 200 : 503) << "primary";
        EXPECT_EQ(b.status(row.path), row.replica ? 200 : 503) << "replica";
        EXPECT_EQ(c.status(row.path), row.sync ? 200 : 503) << "synchronous standby";
        EXPECT_EQ(d.status(row.path), row.quorum ? 200 : 503) << "quorum standby";
        EXPECT_EQ(e.status(row.path), row.standby_leader ? 200 : 503) << "standby leader";
        EXPECT_EQ(f.status(row.path), row.stopped ? 200 : 503) << "stopped";
    }
}

TEST(RestHealth, APrimaryWhoseLockHasRunOutIsNoPrimary) {
    Api api(primary());
    api.state.seen.lock_valid_until = kNow;
    EXPECT_EQ(api.status("/primary"), 503);
    EXPECT_EQ(api.status("/leader"), 503);
    EXPECT_EQ(api.status("/health"), 200);
}

TEST(RestHealth, LagCountsReplayedBytesAndUnderstandsUnits) {
    Api api(replica());
    EXPECT_EQ(api.status("/replica?lag=16"), 200);
    EXPECT_EQ(api.status("/replica?lag=15"), 503);
    EXPECT_EQ(api.status("/replica?lag=1kB"), 200);
    EXPECT_EQ(api.status("/replica?lag=nonsense"), 200);
    EXPECT_EQ(api.status("/async?lag=0"), 503);
    EXPECT_EQ(api.status("/read-only?lag=0"), 503);
}

TEST(RestHealth, AReplicaMayBeAskedForItsReplicationState) {
    Api api(replica());
    EXPECT_EQ(api.status("/replica?replication_state=streaming"), 200);
    api.state.published.replication_state = "in archive recovery";
    EXPECT_EQ(api.status("/replica?replication_state=streaming"), 503);
}

TEST(RestHealth, ATagThatForbidsLoadHidesAReplica) {
    Api api(replica());
    api.state.config.tags.noloadbalance = true;
    EXPECT_EQ(api.status("/replica"), 503);
    EXPECT_EQ(api.status("/health"), 200);
}

TEST(RestHealth, TagsInTheQueryMustMatchExceptForLeaders) {
    Api api(replica());
    api.state.config.tags.all = {{"clonefrom", true}, {"zone", "a"}, {"weight", 5}};
    EXPECT_EQ(api.status("/replica?tag_zone=a&tag_clonefrom=true&tag_weight=5"), 200);
    EXPECT_EQ(api.status("/replica?tag_zone=b"), 503);
    EXPECT_EQ(api.status("/replica?tag_unknown=1"), 503);
    EXPECT_EQ(Api(primary()).status("/primary?tag_zone=b"), 200);
}

TEST(RestHealth, InAPauseWithoutAStoreTheRoleOfPostgresDecides) {
    Api api(primary());
    api.state.seen.cluster = nullptr;
    EXPECT_EQ(api.status("/primary"), 503);
    api.state.seen.config.pause = true;
    EXPECT_EQ(api.status("/primary"), 200);
}

TEST(RestHealth, LivenessEndsWhenNothingHasBeenDecidedForTheTimeOfALease) {
    Api leader(primary()), standby(replica());
    EXPECT_EQ(leader.status("/liveness"), 200);
    for (Api* api : {&leader, &standby}) api->state.seen.now = kNow + std::chrono::seconds(40);
    EXPECT_EQ(leader.status("/liveness"), 503);
    EXPECT_EQ(standby.status("/liveness"), 200);
    leader.state.seen.config.pause = true;
    EXPECT_EQ(leader.status("/liveness"), 200);
    EXPECT_EQ(leader.ask("GET", "/liveness").body, "");
}

TEST(RestHealth, ReadinessWantsAReplicaThatStreamsCloseEnough) {
    EXPECT_EQ(Api(primary()).status("/readiness"), 200);
    EXPECT_EQ(Api(stopped()).status("/readiness"), 503);
    Api api(replica());
    EXPECT_EQ(api.status("/readiness"), 200);
    EXPECT_EQ(api.status("/readiness?lag=0"), 503);
    EXPECT_EQ(api.status("/readiness?lag=0&mode=write"), 200);
    api.state.published.replication_state = "";
    EXPECT_EQ(api.status("/readiness"), 503);
}

TEST(RestHealth, ReadinessWithoutAStoreNeedsWordFromTheLeader) {
    Api api(replica());
    api.state.seen.store_ok = false;
    EXPECT_EQ(api.status("/readiness"), 200) << "the receiver hears it";
    api.state.seen.pg.receiver->latest_end = {};
    EXPECT_EQ(api.status("/readiness"), 503);
    api.state.seen.failsafe_leader_until = kNow + std::chrono::seconds(5);
    EXPECT_EQ(api.status("/readiness"), 200) << "failsafe mode is active";
}

TEST(RestHealth, ALeaderThatMembersKeepWithoutTheStoreServesAsBefore) {
    Api api(primary());
    ha::Observation& seen = api.state.seen;
    seen.self.name = MemberName("c1");
    seen.store_ok = false;
    seen.lock_valid_until = kNow - std::chrono::seconds(1);
    EXPECT_EQ(api.status("/primary"), 503);
    EXPECT_EQ(api.status("/readiness"), 503);
    ClusterView view = three_members();
    for (const char* name : {"c1", "c2"}) view.failsafe[MemberName(name)] = "http://10.0.0.1:8008/patroni";
    show(api.state, view);
    seen.config.failsafe_mode = seen.failsafe_list_certain = true;
    seen.confirmations[MemberName("c2")] = {.until = kNow + std::chrono::seconds(5)};
    seen.failsafe_round_until = seen.failsafe_guarded_until = kNow + std::chrono::seconds(5);
    EXPECT_EQ(api.status("/primary"), 200);
    EXPECT_EQ(api.status("/leader"), 200);
    EXPECT_EQ(api.status("/readiness"), 200);
    EXPECT_EQ(api.status("/replica"), 503);
    seen.failsafe_vetoed = true;
    EXPECT_EQ(api.status("/primary"), 503);
}

TEST(RestHealth, HeadAndOptionsAnswerWithTheStatusAlone) {
    Api api(primary());
    api.state.config.restapi.http_extra_headers["X-Site"] = "north";
    for (const char* method : {"HEAD", "OPTIONS"}) {
        HttpResponse response = api.ask(method, "/replica");
        EXPECT_EQ(response.status, 503);
        EXPECT_EQ(response.body, "");
        EXPECT_TRUE(response.headers.empty());
    }
    EXPECT_EQ(api.ask("GET", "/primary").headers.size(), 1u);
}

TEST(RestHealth, AnUnknownPathIsNotFound) {
    EXPECT_EQ(Api(primary()).status("/x/primary"), 404);
    EXPECT_EQ(Api(primary()).status("/nothing"), 404);
}

}  // namespace
}  // namespace pgherd::agent
