// The texts of states and roles, and the questions that a view of the cluster answers.
#include <gtest/gtest.h>

#include "model/agent_config.h"
#include "model/cluster.h"

namespace pgherd {
namespace {

Member member_at(std::string url) {
    Member member;
    member.conn_url = std::move(url);
    return member;
}

TEST(MemberState, ReadsWhatItWrites) {
    for (int i = 0; i <= int(MemberState::crashed); ++i)
        EXPECT_EQ(parse_member_state(to_string(MemberState(i))), MemberState(i));
    EXPECT_EQ(parse_member_state("dancing"), std::nullopt);
    EXPECT_EQ(int(*parse_member_state("running")), 5);
    EXPECT_EQ(int(*parse_member_state("crashed")), 14);
}

TEST(Role, ReadsWhatItWritesAndTheOldWord) {
    for (int i = 0; i <= int(Role::uninitialized); ++i) EXPECT_EQ(parse_role(to_string(Role(i))), Role(i));
    EXPECT_EQ(parse_role("master"), Role::primary);
    EXPECT_EQ(to_string(Role::primary), "primary");
    EXPECT_EQ(parse_role(""), std::nullopt);
}

TEST(Member, TakesHostAndPortFromItsUrl) {
    EXPECT_EQ(member_at("postgres://10.0.0.1:5433/postgres").host(), "10.0.0.1");
    EXPECT_EQ(member_at("postgres://10.0.0.1:5433/postgres").port(), 5433);
    EXPECT_EQ(member_at("postgres://[::1]:5433/postgres").host(), "::1");
    EXPECT_EQ(member_at("postgres://u:p@db?application_name=x").host(), "db");
    EXPECT_EQ(member_at("postgres://db").port(), 5432);
}

TEST(Member, HasNoHostWithAMalformedUrl) {
    for (auto url :
         {"", "postgres://", "db:5432", "postgres://:5432/x", "postgres://db:port/x", "postgres://[::1/x"}) {
        EXPECT_EQ(member_at(url).host(), "") << url;
        EXPECT_EQ(member_at(url).port(), 5432) << url;
    }
}

TEST(Endpoint, ReadsWhatItWrites) {
    for (auto& endpoint : {Endpoint{"a.example", 1}, Endpoint{"10.0.0.1", 65535}, Endpoint{"fe80::1", 80}})
        EXPECT_EQ(parse_endpoint(to_string(endpoint)).value(), endpoint);
    EXPECT_EQ(to_string(Endpoint{"::1", 5432}), "[::1]:5432");
    EXPECT_EQ(parse_endpoint("host", 2379).value(), (Endpoint{"host", 2379}));
    EXPECT_EQ(parse_endpoint("[::1]", 2379).value(), (Endpoint{"::1", 2379}));
}

TEST(Endpoint, RefusesWhatIsNone) {
    for (auto text : {"", "host", ":1", "h:", "h:0", "h:65536", "h:x", "[::1", "[::1]x", "[]:1"})
        EXPECT_FALSE(parse_endpoint(text)) << text;
}

TEST(ClusterView, FindsMembersAndTheLeader) {
    ClusterView view;
    EXPECT_EQ(view.leader_member(), nullptr);
    view.members[MemberName("a")].name = MemberName("a");
    EXPECT_NE(view.member(MemberName("a")), nullptr);
    EXPECT_EQ(view.member(MemberName("b")), nullptr);
    view.leader = LeaderRecord{MemberName("a"), {}, {}};
    EXPECT_EQ(view.leader_member(), view.member(MemberName("a")));
    view.leader->name = MemberName("gone");
    EXPECT_EQ(view.leader_member(), nullptr);
}

TEST(SyncRecord, KnowsItsStandbysNotItsLeader) {
    SyncRecord record{MemberName("a"), 0, {MemberName("b"), MemberName("c")}, {}};
    EXPECT_TRUE(record.contains(MemberName("c")));
    EXPECT_FALSE(record.contains(MemberName("a")));
}

}  // namespace
}  // namespace pgherd
