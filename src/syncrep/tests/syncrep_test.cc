#include "syncrep/syncrep.h"

#include <gtest/gtest.h>

namespace pgherd::syncrep {
namespace {

struct Cluster {
    DynamicConfig config;
    SyncRecord record;
    std::map<MemberName, Member> members;
    PostgresState pg;
    std::optional<Lsn> noted;
    std::string user_names;

    Cluster() {
        config.synchronous_mode = SynchronousMode::on;
        record.modified = Revision(5);
        record.leader = MemberName("a");
        pg.position = Lsn{1000};
        for (const char* name : {"a", "b", "c"}) {
            Member member;
            member.name = MemberName(name);
            member.state = MemberState::running;
            members[member.name] = member;
        }
    }
    void streams(const char* name, std::uint64_t flushed, const char* state = "async") {
        pg.replication.push_back(
            {.application_name = name, .state = "streaming", .sync_state = state, .flush_lsn = Lsn{flushed}});
    }
    Input input() const {
        return {.self = MemberName("a"),
                .config = &config,
                .record = &record,
                .members = &members,
                .pg = &pg,
                .noted_lsn = noted,
                .user_names = user_names};
    }
    Step next() const { return next_step(input()); }
};

std::vector<MemberName> list(std::initializer_list<const char*> names) {
    std::vector<MemberName> result;
    for (const char* name : names) result.emplace_back(name);
    return result;
}

TEST(SynchronousSet, NamesAStandbyInPostgresBeforeTheRecord) {
    Cluster cluster;
    cluster.streams("B", 900);  // pg_stat_replication may differ in case
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "b");
    cluster.pg.synchronous_standby_names = "b";
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "b")
        << "set again: nobody knows since when it is in force";
    cluster.noted = Lsn{1000};
    EXPECT_TRUE(std::holds_alternative<Wait>(cluster.next()));
    cluster.pg.replication[0].flush_lsn = Lsn{1000};
    EXPECT_EQ(std::get<SwapRecord>(cluster.next()).record.standbys, list({"b"}));
    cluster.record.standbys = list({"b"});
    EXPECT_TRUE(std::holds_alternative<Done>(cluster.next()));
}

TEST(SynchronousSet, ShrinksTheRecordBeforePostgres) {
    Cluster cluster;
    cluster.record.standbys = list({"b"});
    cluster.pg.synchronous_standby_names = "b";
    EXPECT_TRUE(std::get<SwapRecord>(cluster.next()).record.standbys.empty());
    cluster.record.standbys.clear();
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "");
}

TEST(SynchronousSet, ConfirmsTheRecordBeforePostgresFollowsItWhenAnEarlierWriteMayStillHappen) {
    Cluster cluster;
    cluster.streams("b", 1000);
    Input input = cluster.input();
    input.record_uncertain = true;
    auto record = std::get<SwapRecord>(next_step(input)).record;
    EXPECT_TRUE(record.standbys.empty());
    EXPECT_EQ(record.modified, Revision(5));
    input.record_uncertain = false;
    EXPECT_EQ(std::get<SetNames>(next_step(input)).names, "b");
}

TEST(SynchronousSet, AcknowledgesNothingAloneThatTheRecordPromises) {
    Cluster cluster;
    cluster.record.standbys = list({"a", "b", "c"});
    EXPECT_EQ(render_names(names_for(cluster.record, MemberName("a"), cluster.config)), "2 (b,c)");
    cluster.record.quorum = 1;
    EXPECT_EQ(render_names(names_for(cluster.record, MemberName("a"), cluster.config)), "ANY 1 (b,c)");
    cluster.record.standbys.clear();
    EXPECT_EQ(render_names(names_for(cluster.record, MemberName("a"), cluster.config)), "");
    cluster.config.synchronous_mode_strict = true;
    EXPECT_NE(render_names(names_for(cluster.record, MemberName("a"), cluster.config)), "");
}

TEST(SynchronousSet, KeepsItsPromiseInStrictModeWhenNobodyStreams) {
    Cluster cluster;
    cluster.config.synchronous_mode_strict = true;
    cluster.record.standbys = list({"b"});
    cluster.pg.synchronous_standby_names = "b";
    EXPECT_TRUE(std::holds_alternative<Wait>(cluster.next()));
    cluster.record.standbys.clear();
    EXPECT_NE(std::get<SetNames>(cluster.next()).names, "");
}

TEST(SynchronousSet, PrefersPriorityThenWhoIsSynchronousAlready) {
    Cluster cluster;
    cluster.streams("b", 990, "sync");
    cluster.streams("c", 1000);
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "b");
    cluster.members[MemberName("c")].tags.sync_priority = 2;
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "c");
    cluster.members[MemberName("c")].tags.nosync = true;
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "b");
}

TEST(SynchronousSet, DropsAStandbyThatLagsTooFar) {
    Cluster cluster;
    cluster.config.maximum_lag_on_syncnode = 10;
    cluster.streams("b", 900, "sync");
    cluster.streams("c", 1000);
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "c");
}

TEST(SynchronousSet, ForgetsTheRecordOfAnotherLeader) {
    Cluster cluster;
    cluster.record.leader = MemberName("b");
    cluster.record.standbys = list({"a", "c"});
    auto record = std::get<SwapRecord>(cluster.next()).record;
    EXPECT_EQ(record.leader, MemberName("a"));
    EXPECT_TRUE(record.standbys.empty());
    EXPECT_EQ(record.modified, Revision(5));
}

TEST(SynchronousSet, IsClearedInTheRecordFirstWhenTheModeIsSwitchedOff) {
    Cluster cluster;
    cluster.config.synchronous_mode = SynchronousMode::off;
    cluster.user_names = "dr";
    cluster.pg.synchronous_standby_names = "b";
    EXPECT_TRUE(std::get<SwapRecord>(cluster.next()).record.empty());
    cluster.record.leader = MemberName();
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "dr");
    cluster.pg.synchronous_standby_names = "dr";
    EXPECT_TRUE(std::holds_alternative<Done>(cluster.next()));
}

TEST(SynchronousSet, OfAQuorumAsksForMoreInTheRecordBeforeItIsWidened) {
    Cluster cluster;
    cluster.config.synchronous_mode = SynchronousMode::quorum;
    cluster.record.standbys = list({"b"});
    cluster.pg.synchronous_standby_names = "ANY 1 (b)";
    cluster.noted = Lsn{900};
    cluster.streams("b", 1000, "quorum");
    cluster.streams("c", 1000);
    auto record = std::get<SwapRecord>(cluster.next()).record;
    EXPECT_EQ(record.standbys, list({"b", "c"}));
    EXPECT_EQ(record.quorum, 1);
    cluster.record = record;
    EXPECT_EQ(std::get<SetNames>(cluster.next()).names, "ANY 1 (b,c)");
    cluster.pg.synchronous_standby_names = "ANY 1 (b,c)";
    EXPECT_TRUE(std::holds_alternative<Done>(cluster.next()));
}

TEST(SynchronousSet, IsTakenOverBeforeAPromotion) {
    Cluster cluster;
    cluster.record.leader = MemberName("b");
    cluster.record.standbys = list({"a", "c"});
    auto record = std::get<SwapRecord>(before_promotion(cluster.input()).value()).record;
    EXPECT_EQ(record.leader, MemberName("a"));
    EXPECT_EQ(record.standbys, list({"c"}));
    cluster.record = record;
    EXPECT_EQ(std::get<SetNames>(before_promotion(cluster.input()).value()).names, "c");
    cluster.pg.synchronous_standby_names = "c";
    EXPECT_FALSE(before_promotion(cluster.input()).has_value());
}

TEST(SynchronousSet, IsEmptyAfterAnOperatorPromotedAMemberOutsideIt) {
    Cluster cluster;
    cluster.record.leader = MemberName("b");
    cluster.record.standbys = list({"c"});
    EXPECT_TRUE(std::get<SwapRecord>(before_promotion(cluster.input()).value()).record.standbys.empty());
}

TEST(SynchronousSet, KeepsItsQuorumThroughAPromotion) {
    Cluster cluster;
    cluster.config.synchronous_mode = SynchronousMode::quorum;
    cluster.record = {
        .leader = MemberName("d"), .quorum = 1, .standbys = list({"a", "b", "c"}), .modified = Revision(5)};
    auto record = std::get<SwapRecord>(before_promotion(cluster.input()).value()).record;
    EXPECT_EQ(record.standbys, list({"b", "c"}));
    EXPECT_EQ(record.quorum, 1);
    cluster.record = record;
    EXPECT_EQ(std::get<SetNames>(before_promotion(cluster.input()).value()).names, "ANY 1 (b,c)");
}

}  // namespace
}  // namespace pgherd::syncrep
