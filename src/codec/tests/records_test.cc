#include "codec/records.h"

#include <gtest/gtest.h>

namespace pgherd {
namespace {

MemberName name(const char* text) {
    return MemberName(text);
}

// What Patroni 4.1 members write.
constexpr auto kPrimary =
    R"({"conn_url":"postgres://10.0.0.1:5432/postgres","api_url":"http://10.0.0.1:8008/patroni","state":"running",)"
    R"("role":"primary","version":"4.1.4","tags":{"clonefrom":true,"zone":"b"},"pending_restart":true,)"
    R"("pending_restart_reason":{"max_connections":{"old_value":"100","new_value":"200"}},"xlog_location":67109248,)"
    R"("timeline":3,"checkpoint_after_promote":false,"scheduled_restart":{"schedule":"2026-01-02T03:04:05+00:00",)"
    R"("postmaster_start_time":"2026-01-01 00:00:00.123456+00:00","role":"primary","timeout":30,"restart_pending":true},)"
    R"("pause":true})";
constexpr auto kReplica =
    R"({"conn_url":"postgres://[fe80::1]:5433/app","api_url":"https://[fe80::1]:8008/patroni","state":"running",)"
    R"("role":"replica","version":"4.1.4","proxy_url":"postgres://10.0.0.2:6432/app","xlog_location":9223372036854775807,)"
    R"("receive_lsn":67109248,"replay_lsn":67109000,"replication_state":"streaming","timeline":3})";

TEST(MemberRecord, ReadsAPatroniPrimary) {
    auto member = parse_member(name("a"), kPrimary).value();
    EXPECT_EQ(member.name, name("a"));
    EXPECT_EQ(member.host(), "10.0.0.1");
    EXPECT_EQ(member.state, MemberState::running);
    EXPECT_EQ(member.role, Role::primary);
    EXPECT_TRUE(member.tags.clonefrom);
    EXPECT_EQ(member.tags.all.size(), 2u);
    EXPECT_EQ(member.pending_restart_reason.at("max_connections").new_value, "200");
    EXPECT_EQ(member.xlog_location, Lsn{67109248});
    EXPECT_EQ(member.timeline, Timeline{3});
    EXPECT_EQ(member.checkpoint_after_promote, false);
    EXPECT_EQ(to_iso(member.scheduled_restart->at), "2026-01-02T03:04:05+00:00");
    EXPECT_EQ(member.scheduled_restart->timeout, std::chrono::seconds(30));
    EXPECT_TRUE(member.pause);
    EXPECT_TRUE(member.unknown.empty());
}

TEST(MemberRecord, WritesExactlyWhatItRead) {
    for (auto text : {kPrimary, kReplica})
        EXPECT_EQ(write_member(parse_member(name("a"), text).value()), text);
}

TEST(MemberRecord, KeepsWhatItDoesNotKnow) {
    auto text =
        R"({"conn_url":"","api_url":"","state":"dancing","role":"replica","version":"9","quiet":{"a":[1]},"xlog_location":"far"})";
    auto member = parse_member(name("a"), text).value();
    EXPECT_EQ(member.state, MemberState::stopped);
    EXPECT_EQ(member.xlog_location, std::nullopt);
    EXPECT_EQ(write_member(member), text);
}

TEST(MemberRecord, ReadsTheOldestForm) {
    auto member =
        parse_member(name("a"),
                     "postgres://u:p@db:5433/postgres?application_name=http%3A%2F%2Fdb%3A8008/patroni")
            .value();
    EXPECT_EQ(member.conn_url, "postgres://u:p@db:5433/postgres");
    EXPECT_EQ(member.api_url, "http://db:8008/patroni");
    EXPECT_EQ(member.host(), "db");
    EXPECT_EQ(parse_member(name("a"), "postgres://h?application_name=%4").value().api_url, "%4");
}

TEST(MemberRecord, IsAnErrorWhenItIsNoObject) {
    for (auto text : {"", "x", "[]", "1", "{", "\"postgres\""})
        EXPECT_FALSE(parse_member(name("a"), text)) << text;
}

TEST(MemberRecord, LetsThePlainTagWinOverThePriority) {
    auto tags = [](std::string text) {
        return parse_member(name("a"), R"({"tags":)" + text + "}").value().tags;
    };
    EXPECT_TRUE(tags(R"({"nofailover":false,"failover_priority":0})").may_lead());
    EXPECT_FALSE(tags(R"({"nofailover":true,"failover_priority":5})").may_lead());
    EXPECT_FALSE(tags(R"({"failover_priority":"0"})").may_lead());
    EXPECT_FALSE(tags(R"({"nofailover":"yes"})").may_lead());
    EXPECT_TRUE(tags(R"({"nosync":false,"sync_priority":0})").may_sync());
    EXPECT_FALSE(tags(R"({"sync_priority":0})").may_sync());
    EXPECT_EQ(tags(R"({"replicatefrom":"b"})").replicatefrom, name("b"));
    EXPECT_FALSE(tags(R"({"clonefrom":[1]})").clonefrom);
}

TEST(FailoverRecord, ReadsWhatItWrites) {
    for (auto text : {R"({"leader":"a","member":"b"})", R"({"member":"b"})", "{}",
                      R"({"leader":"a","scheduled_at":"2026-01-02T03:04:05.000006+00:00"})"})
        EXPECT_EQ(write_failover(parse_failover(text).value()), text);
    EXPECT_TRUE(parse_failover("{}").value().empty());
}

TEST(FailoverRecord, ReadsTheOldForm) {
    auto request = parse_failover("a:b").value();
    EXPECT_EQ(request.leader, name("a"));
    EXPECT_EQ(request.candidate, name("b"));
    EXPECT_EQ(parse_failover(":b").value().candidate, name("b"));
    EXPECT_TRUE(parse_failover("").value().empty());
}

TEST(FailoverRecord, RefusesAScheduleWithoutAZone) {
    EXPECT_FALSE(parse_failover(R"({"leader":"a","scheduled_at":"2026-01-02T03:04:05"})"));
    EXPECT_FALSE(parse_failover(R"({"leader":["a"]})"));
    EXPECT_FALSE(parse_failover("{"));
}

TEST(SyncRecord, ReadsWhatItWrites) {
    for (auto text : {R"({"leader":"a","quorum":1,"sync_standby":"b,c"})",
                      R"({"leader":null,"quorum":0,"sync_standby":null})",
                      R"({"leader":"a","quorum":0,"sync_standby":null})"})
        EXPECT_EQ(write_sync(parse_sync(text).value()), text);
    EXPECT_EQ(write_sync({name("a"), 0, {name("c"), name("b")}, {}}),
              R"({"leader":"a","quorum":0,"sync_standby":"b,c"})");
    EXPECT_EQ(parse_sync(R"({"leader":"a","sync_standby":"c, b"})").value().standbys.front(), name("b"));
    for (auto text : {"", "[]", R"({"leader":{}})", R"({"quorum":"many"})"})
        EXPECT_FALSE(parse_sync(text)) << text;
}

TEST(StatusRecord, ReadsWhatItWrites) {
    for (auto text : {R"({"optime":22370648,"slots":{"p0":22370648},"retain_slots":["p0"]})",
                      R"({"slots":{},"retain_slots":[]})"})
        EXPECT_EQ(write_status(parse_status(text).value()), text);
    EXPECT_EQ(parse_status("22370648").value().optime, Lsn{22370648});
    EXPECT_EQ(parse_status(R"({"optime":"x","slots":{"a":-1,"b":[]},"retain_slots":3})").value().slots.size(),
              0u);
    for (auto text : {"", "[]", "-1", "null"}) EXPECT_FALSE(parse_status(text)) << text;
}

TEST(HistoryRecord, ReadsWhatItWrites) {
    auto text =
        R"([[1,25623960,"no recovery target specified"],[2,25624344,"no recovery target specified","2026-01-02T03:04:05+00:00","b"]])";
    auto history = parse_history(text).value();
    EXPECT_EQ(history.size(), 2u);
    EXPECT_EQ(history[1].leader, name("b"));
    EXPECT_EQ(write_history(history), text);
    EXPECT_EQ(write_history({}), "[]");
}

TEST(HistoryRecord, SkipsLinesThatItCannotRead) {
    EXPECT_EQ(parse_history(R"([[0,1,"x"],[1],[1,-1,"x"],3,[5000000000,1,"x"],[2,3,"x",null,null]])")
                  .value()
                  .size(),
              1u);
    EXPECT_FALSE(parse_history("{}"));
}

StoredRecord record(std::string value, std::int64_t modified = 7, std::int64_t lease = 0) {
    return {std::move(value), Revision(modified), LeaseId(lease)};
}

TEST(Cluster, IsReadFromAllItsRecords) {
    auto view =
        parse_cluster(Revision(42), {{"leader", record("a", 9, 77)},
                                     {"members/a", record(kPrimary)},
                                     {"members/b", record(kReplica)},
                                     {"members/c", record("broken")},
                                     {"initialize", record("7123456789012345678")},
                                     {"config", record(R"({"ttl":20,"loop_wait":2,"retry_timeout":3})", 5)},
                                     {"failover", record(R"({"leader":"a"})", 6)},
                                     {"sync", record(R"({"leader":"a","quorum":0,"sync_standby":"b"})", 8)},
                                     {"status", record(R"({"optime":5})")},
                                     {"optime/leader", record("4")},
                                     {"history", record(R"([[1,2,"x"]])")},
                                     {"failsafe", record(R"({"a":"http://a","b":"http://b"})")},
                                     {"foreign", record("x")}});
    EXPECT_EQ(view.revision, Revision(42));
    EXPECT_TRUE(view.led_by(name("a")));
    EXPECT_EQ(view.leader->modified, Revision(9));
    EXPECT_EQ(view.leader->lease, LeaseId(77));
    EXPECT_EQ(view.members.size(), 2u);
    EXPECT_EQ(view.initialize, SystemId(7123456789012345678u));
    EXPECT_EQ(view.config->ttl, std::chrono::seconds(20));
    EXPECT_EQ(view.config_revision, Revision(5));
    EXPECT_EQ(view.failover->modified, Revision(6));
    EXPECT_EQ(view.sync.modified, Revision(8));
    EXPECT_TRUE(view.sync.contains(name("b")));
    EXPECT_EQ(view.status.optime, Lsn{5});
    EXPECT_EQ(view.history.size(), 1u);
    EXPECT_EQ(view.failsafe.at(name("b")), "http://b");
    EXPECT_EQ(write_failsafe(view.failsafe), R"({"a":"http://a","b":"http://b"})");
}

TEST(Cluster, IsEmptyWithoutRecords) {
    auto view = parse_cluster(Revision(1), {});
    EXPECT_TRUE(view.unlocked());
    EXPECT_FALSE(view.initialize_exists);
    EXPECT_FALSE(view.config_revision);
    EXPECT_TRUE(view.sync.empty());
}

TEST(Cluster, KnowsThatSomebodyBootstraps) {
    auto view = parse_cluster(Revision(1), {{"initialize", record("", 1, 5)}});
    EXPECT_TRUE(view.initialize_exists);
    EXPECT_FALSE(view.initialize);
    EXPECT_EQ(view.initialize_lease, LeaseId(5));
}

TEST(Cluster, KeepsTheReasonWhyTheConfigurationIsNotUnderstood) {
    auto view = parse_cluster(Revision(1), {{"config", record(R"({"ttl":[]})")}});
    EXPECT_FALSE(view.config);
    EXPECT_TRUE(view.config_revision);
    EXPECT_EQ(view.config_error, "key \"ttl\": expected seconds, got a list");
}

TEST(Cluster, ReadsTheOldPositionWhenThereIsNoStatus) {
    EXPECT_EQ(parse_cluster(Revision(1), {{"optime/leader", record("4")}}).status.optime, Lsn{4});
}

TEST(Cluster, SurvivesAnyGarbageInAnyRecord) {
    for (auto text : {"", "{", "[]", "null", "1e999", "{\"leader\":1}", "\xff\xfe", "[[[[]]]]",
                      "{\"config\":{}}", "postgres://"})
        for (auto key : {"leader", "members/x", "members/", "initialize", "config", "failover", "sync",
                         "status", "optime/leader", "history", "failsafe"})
            parse_cluster(Revision(1), {{key, record(text)}});
}

TEST(Records, ALegacyMemberWithBytesThatNoUrlHasIsRefused) {
    EXPECT_TRUE(parse_member(MemberName("a"), "postgres://h:5432/p?application_name=http://h:8008"));
    EXPECT_FALSE(parse_member(MemberName("a"), "postgres://h\x8e:5432/p"));
    EXPECT_FALSE(parse_member(MemberName("a"), "postgres://h/p?application_name=%ff"));
}

}  // namespace
}  // namespace pgherd
