// Bodies of the read endpoints, checked as Patroni's peers and patronictl read them.
#include <gtest/gtest.h>

#include "codec/peer.h"
#include "rest_state.h"

namespace pgherd::agent {
namespace {

TEST(RestBodies, PatroniTellsWhatAPrimaryIs) {
    JsonObject body = Api(primary()).json("/patroni");
    EXPECT_EQ(body["state"], "running");
    EXPECT_EQ(body["role"], "primary");
    EXPECT_EQ(body["server_version"], 150020);
    EXPECT_EQ(body["timeline"], 3);
    EXPECT_EQ(body["postmaster_start_time"], "2026-03-01 11:00:00+00:00");
    EXPECT_EQ(to_text(body["xlog"]), R"({"location":50331904})");
    EXPECT_EQ(body["database_system_identifier"], "7345112233445566778");
    EXPECT_EQ(to_text(body["patroni"]), R"({"version":"4.1.0","scope":"demo","name":"c1"})");
    EXPECT_EQ(
        to_text(body["replication"]),
        R"([{"usename":"replicator","application_name":"c2","client_addr":"10.0.0.2","state":"streaming","sync_state":"async","sync_priority":0}])");
    EXPECT_EQ(body["dcs_last_seen"], 1772366400);
    EXPECT_FALSE(body.contains("cluster_unlocked"));
    EXPECT_FALSE(body.contains("pause"));
}

TEST(RestBodies, PatroniTellsWhatAReplicaIs) {
    JsonObject body = Api(replica()).json("/patroni");
    EXPECT_EQ(body["role"], "replica");
    EXPECT_EQ(body["replication_state"], "streaming");
    EXPECT_EQ(
        to_text(body["xlog"]),
        R"({"received_location":50331904,"replayed_location":50331888,"replayed_timestamp":null,"paused":false})");
}

TEST(RestBodies, AnotherMemberUnderstandsTheBodyInALeaderRace) {
    AgentState state = replica();
    state.config.tags.all = {{"nofailover", true}};
    state.seen.watchdog_usable = false;
    auto peer = parse_peer_status(Api(state).ask("GET", "/patroni").body);
    ASSERT_TRUE(peer) << peer.error().message;
    EXPECT_TRUE(peer->in_recovery);
    EXPECT_EQ(peer->position, (WalPosition{Timeline{3}, Lsn{0x3000100}}));
    EXPECT_TRUE(peer->nofailover);
    EXPECT_TRUE(peer->watchdog_failed);
    peer = parse_peer_status(Api(primary()).ask("GET", "/patroni").body);
    ASSERT_TRUE(peer);
    EXPECT_FALSE(peer->in_recovery);
}

TEST(RestBodies, AServerThatDoesNotAnswerIsUnknownAndHasNoPosition) {
    AgentState state = primary();
    state.seen.pg.in_recovery.reset();
    JsonObject body = Api(state).json("/patroni");
    EXPECT_EQ(body["state"], "unknown");
    EXPECT_FALSE(body.contains("xlog"));
}

TEST(RestBodies, FlagsAppearOnlyWhenTheyAreSet) {
    AgentState state = replica();
    state.seen.config.pause = true;
    state.failsafe_active = true;
    state.decision.needs_operator = true;
    state.decision.text = "reinitialize it";
    state.published.pending_restart = true;
    state.published.pending_restart_reason["max_connections"] = {"100", "200"};
    state.scheduled_restart =
        ScheduledRestart{kWall + std::chrono::hours(1), "", Role::replica, "15.3", {}, true};
    ClusterView view = three_members();
    view.leader.reset();
    show(state, view);
    JsonObject body = Api(state).json("/patroni");
    EXPECT_EQ(body["pause"], true);
    EXPECT_EQ(body["cluster_unlocked"], true);
    EXPECT_EQ(body["failsafe_mode_is_active"], true);
    EXPECT_EQ(body["needs_operator"], "reinitialize it");
    EXPECT_FALSE(Api(replica()).json("/patroni").contains("needs_operator"));
    EXPECT_EQ(to_text(body["pending_restart_reason"]),
              R"({"max_connections":{"old_value":"100","new_value":"200"}})");
    EXPECT_EQ(
        to_text(body["scheduled_restart"]),
        R"({"schedule":"2026-03-01T13:00:00+00:00","role":"replica","postgres_version":"15.3","restart_pending":true})");
}

TEST(RestBodies, AMemberThatHasConfirmedALeaderSaysSo) {
    AgentState state = replica();
    state.seen.now = kNow;
    EXPECT_FALSE(Api(state).json("/patroni").contains("failsafe_mode_is_active"));
    state.seen.failsafe_leader = MemberName("c1");
    state.seen.failsafe_leader_until = kNow + std::chrono::seconds(5);
    EXPECT_EQ(Api(state).json("/patroni")["failsafe_mode_is_active"], true);
    state.seen.now = state.seen.failsafe_leader_until;
    EXPECT_FALSE(Api(state).json("/patroni").contains("failsafe_mode_is_active"));
    state.seen.config.failsafe_mode = true;
    state.seen.failsafe_unsure_until = state.seen.now + std::chrono::seconds(1);
    EXPECT_EQ(Api(state).json("/patroni")["failsafe_mode_unknown"], true) << "its agent may have forgotten";
}

TEST(RestBodies, ClusterListsMembersWithTheirLag) {
    JsonObject body = Api(primary()).json("/cluster");
    ASSERT_EQ(body["members"].as_array().size(), 3u);
    EXPECT_EQ(
        to_text(body["members"].at(0)),
        R"({"name":"c1","role":"leader","state":"running","api_url":"http://10.0.0.1:8008/patroni","host":"10.0.0.1","port":5432,"timeline":3})");
    EXPECT_EQ(
        to_text(body["members"].at(2)),
        R"({"name":"c3","role":"replica","state":"streaming","api_url":"http://10.0.0.3:8008/patroni","host":"10.0.0.3","port":5432,"timeline":3,)"
        R"("receive_lsn":"0/2FFFF00","receive_lag":512,"replay_lsn":"0/2FFFEF0","replay_lag":528,"lsn":"0/2FFFF00","lag":512})");
    EXPECT_EQ(body["scope"], "demo");
}

TEST(RestBodies, ClusterShowsPauseScheduleAndTheSynchronousStandby) {
    AgentState state = primary();
    state.seen.config.pause = true;
    state.seen.config.synchronous_mode = SynchronousMode::on;
    ClusterView view = three_members();
    view.sync = {MemberName("c1"), 0, {MemberName("c2")}, Revision(3)};
    view.failover = FailoverRequest{MemberName("c1"), MemberName("c2"), kWall, Revision(9)};
    view.members[MemberName("c3")].xlog_location.reset();
    show(state, view);
    JsonObject body = Api(state).json("/cluster");
    EXPECT_EQ(body["members"].at(1).at("role"), "sync_standby");
    EXPECT_EQ(body["members"].at(2).at("lag"), "unknown");
    EXPECT_EQ(body["pause"], true);
    EXPECT_EQ(to_text(body["scheduled_switchover"]),
              R"({"at":"2026-03-01T12:00:00+00:00","from":"c1","to":"c2"})");
}

TEST(RestBodies, WithoutAStoreTheClusterIsEmptyAndUnlocked) {
    AgentState state = replica();
    state.seen.cluster = nullptr;
    EXPECT_EQ(to_text(Api(state).json("/cluster")), R"({"members":[],"scope":"demo"})");
    EXPECT_EQ(Api(state).json("/patroni")["cluster_unlocked"], true);
    EXPECT_EQ(Api(state).status("/config"), 502);
    EXPECT_EQ(Api(state).ask("GET", "/history").body, "[]");
}

TEST(RestBodies, ConfigIsTheDocumentAsItWasWritten) {
    EXPECT_EQ(Api(primary()).ask("GET", "/config").body, R"({"ttl":30,"x":"kept"})");
}

TEST(RestBodies, HistoryIsThatOfTheStore) {
    AgentState state = primary();
    ClusterView view = three_members();
    view.history = {{Timeline{1}, Lsn{100}, "no recovery target specified", "2026-03-01T11:00:00+00:00",
                     MemberName("c2")}};
    show(state, view);
    EXPECT_EQ(Api(state).ask("GET", "/history").body,
              R"([[1,100,"no recovery target specified","2026-03-01T11:00:00+00:00","c2"]])");
}

TEST(RestBodies, FailsafeMembersAreShownWhileTheModeIsOn) {
    AgentState state = primary();
    ClusterView view = three_members();
    view.failsafe[MemberName("c2")] = "http://10.0.0.2:8008/patroni";
    show(state, view);
    EXPECT_EQ(Api(state).status("/failsafe"), 502);
    state.seen.config.failsafe_mode = true;
    EXPECT_EQ(Api(state).ask("GET", "/failsafe").body, R"({"c2":"http://10.0.0.2:8008/patroni"})");
}

}  // namespace
}  // namespace pgherd::agent
