#include "codec/peer.h"

#include <gtest/gtest.h>

namespace pgherd {
namespace {

TEST(PeerStatus, ReadsAPatroniReplica) {
    auto peer =
        parse_peer_status(
            R"({"state":"running","postmaster_start_time":"2026-01-01 00:00:00.000001+00:00","role":"replica","server_version":150020,)"
            R"("xlog":{"received_location":67109248,"replayed_location":67109000,"replayed_timestamp":null,"paused":false},"timeline":3,)"
            R"("replication_state":"streaming","dcs_last_seen":1767225600,"tags":{"failover_priority":2},)"
            R"("database_system_identifier":"7123456789012345678","patroni":{"version":"4.1.4","scope":"c1","name":"b"}})")
            .value();
    EXPECT_EQ(peer.state, MemberState::running);
    EXPECT_EQ(peer.role, Role::replica);
    EXPECT_TRUE(peer.in_recovery);
    EXPECT_EQ(peer.position, (WalPosition{{3}, {67109248}}));
    EXPECT_EQ(peer.failover_priority, 2);
    EXPECT_FALSE(peer.nofailover);
    EXPECT_EQ(peer.from, (PeerIdentity{MemberName("b"), "c1", SystemId(7123456789012345678u)}));
}

TEST(PeerStatus, KnowsAPrimaryByItsLocation) {
    auto peer =
        parse_peer_status(R"({"role":"replica","wal":{"location":5},"watchdog_failed":true,"pause":true})")
            .value();
    EXPECT_FALSE(peer.in_recovery);
    EXPECT_EQ(peer.position, (WalPosition{{0}, {5}}));
    EXPECT_TRUE(peer.watchdog_failed);
    EXPECT_TRUE(peer.pause);
    EXPECT_FALSE(parse_peer_status(R"({"role":"master","xlog":{}})").value().in_recovery);
}

TEST(PeerStatus, SaysWhetherThePeerMayLead) {
    auto peer = parse_peer_status(R"({"xlog":{},"tags":{"nofailover":true,"failover_priority":3}})").value();
    EXPECT_TRUE(peer.nofailover);
    EXPECT_EQ(peer.failover_priority, 0);
}

TEST(PeerStatus, SaysWhetherThePeerHasConfirmedALeader) {
    EXPECT_FALSE(parse_peer_status(R"({"xlog":{}})").value().failsafe_bound);
    EXPECT_TRUE(parse_peer_status(R"({"xlog":{},"failsafe_mode_is_active":true})").value().failsafe_bound);
    EXPECT_TRUE(parse_peer_status(R"({"xlog":{},"failsafe_mode_unknown":true})").value().failsafe_unsure);
}

TEST(PeerStatus, CountsAsUnreachableWithoutAPosition) {
    EXPECT_EQ(parse_peer_status(R"({"state":"starting","role":"replica"})").error().code, ErrorCode::invalid);
    for (auto text : {"", "{", "[]", "<html>", "\xff"}) EXPECT_FALSE(parse_peer_status(text)) << text;
    EXPECT_TRUE(parse_peer_status(
        R"({"xlog":{"received_location":-1,"replayed_location":"x"},"timeline":-4,"tags":7,"role":[]})"));
}

TEST(FailsafeMessage, ReadsWhatItWrites) {
    auto text =
        R"({"name":"a","conn_url":"postgres://a:5432/postgres","api_url":"http://a:8008/patroni","slots":{"b":17}})";
    EXPECT_EQ(write_failsafe_message(parse_failsafe_message(text).value()), text);
    EXPECT_TRUE(parse_failsafe_message(R"({"name":"a","conn_url":"x","api_url":"y"})"));
    text = R"({"name":"a","conn_url":"x","api_url":"y","slots":{},"ttl":30,"leadership":17})";
    EXPECT_EQ(write_failsafe_message(parse_failsafe_message(text).value()), text);
    EXPECT_EQ(parse_failsafe_message(text)->leadership, Revision(17));
    text =
        R"({"name":"a","conn_url":"x","api_url":"y","slots":{},"to":{"name":"b","scope":"c1","database_system_identifier":"7"}})";
    EXPECT_EQ(write_failsafe_message(parse_failsafe_message(text).value()), text);
    EXPECT_EQ(parse_failsafe_message(text)->to, (PeerIdentity{MemberName("b"), "c1", SystemId(7)}));
}

TEST(FailsafeAnswer, ReadsWhatItWrites) {
    FailsafeAnswer answer{Lsn{17}, true, {MemberName("b"), "c\r\n1", SystemId(7)}};
    std::map<std::string, std::string> headers;
    for (const auto& [name, value] : failsafe_answer_headers(answer)) {
        EXPECT_EQ(value.find('\n'), std::string::npos);
        headers[name] = value;
    }
    auto read = parse_failsafe_answer(200, headers, "Accepted\n").value();
    EXPECT_EQ(read.position, answer.position);
    EXPECT_TRUE(read.voted);
    EXPECT_EQ(read.from, answer.from);
}

TEST(FailsafeAnswer, IsPatronisWithoutAName) {
    auto read = parse_failsafe_answer(200, {{"lsn", "17"}}, "Accepted").value();
    EXPECT_EQ(read.from, PeerIdentity{});
    EXPECT_FALSE(read.voted);
}

TEST(FailsafeAnswer, IsANoOnlyFromTheAgentThatWasMeant) {
    EXPECT_EQ(parse_failsafe_answer(500, {}, "Running as a leader").error().code, ErrorCode::conflict);
    EXPECT_EQ(parse_failsafe_answer(502, {}, "failsafe mode is off").error().code, ErrorCode::conflict);
    for (int status : {200, 301, 401, 404, 421, 503})
        EXPECT_EQ(parse_failsafe_answer(status, {}, "try later").error().code, ErrorCode::unavailable)
            << status;
}

TEST(PeerIdentity, IsComparedAsFarAsItIsTold) {
    const PeerIdentity known{MemberName("a"), "c1", SystemId(7)};
    EXPECT_TRUE(known.may_be(known));
    EXPECT_TRUE(known.may_be({}));
    EXPECT_TRUE(PeerIdentity{}.may_be(known));
    EXPECT_TRUE(known.may_be({MemberName("a"), "c1", {}}));
    EXPECT_FALSE(known.may_be({MemberName("b"), "c1", SystemId(7)}));
    EXPECT_FALSE(known.may_be({{}, "c2", {}}));
    EXPECT_FALSE(known.may_be({MemberName("a"), "c1", SystemId(8)}));
}

TEST(FailsafeMessage, NeedsNameAndUrls) {
    EXPECT_EQ(parse_failsafe_message(R"({"name":"a","conn_url":"x"})").error().message,
              "key \"api_url\": missing");
    for (auto text : {"", "{}", "[]", R"({"name":["a"],"conn_url":"x","api_url":"y"})"})
        EXPECT_FALSE(parse_failsafe_message(text)) << text;
}

}  // namespace
}  // namespace pgherd
