// What follows from etcd's answers, without etcd.
#include "store_etcd/messages.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/json.h"

namespace pgherd::etcd {
namespace {

TEST(EtcdMessages, ASwapBecomesATransaction) {
    EXPECT_EQ(txn_message("/s/", {"k", IfAbsent{}, "v", LeaseId(7)}),
              R"({"compare":[{"key":"L3Mvaw==","result":"EQUAL","target":"CREATE","create_revision":"0"}],)"
              R"("success":[{"request_put":{"key":"L3Mvaw==","value":"dg==","lease":"7"}}]})");
    EXPECT_EQ(txn_message("/s/", {"k", Always{}, std::nullopt, {}}),
              R"({"success":[{"request_delete_range":{"key":"L3Mvaw=="}}]})");
}

TEST(EtcdMessages, LeasesAreRoundedUpToWholeSeconds) {
    EXPECT_EQ(grant_message(std::chrono::milliseconds(4200)), R"({"TTL":"5"})");
    EXPECT_EQ(grant_message(std::chrono::seconds(5)), R"({"TTL":"5"})");
    EXPECT_EQ(grant_message(std::chrono::milliseconds(1)), R"({"TTL":"1"})");
}

TEST(EtcdMessages, ALeaseWithoutTimeLeftHasEnded) {
    const auto keep = [](std::string_view text) { return parse_keep_alive(*parse_json_object(text)); };
    EXPECT_EQ(keep(R"({"result":{"ID":"1","TTL":"10"}})").value_or(Duration{}), std::chrono::seconds(10));
    EXPECT_EQ(keep(R"({"result":{"ID":"1"}})").error().code, ErrorCode::not_found);
    EXPECT_EQ(keep(R"({"result":{"ID":"1","TTL":"0"}})").error().code, ErrorCode::not_found);
    EXPECT_EQ(keep("{}").error().code, ErrorCode::unavailable) << "that is not what etcd says";
}

TEST(EtcdMessages, ASwapIsRefusedOnlyByEtcdItself) {
    const auto swapped = [](std::string_view text) { return parse_txn(*parse_json_object(text), "k"); };
    EXPECT_EQ(swapped(R"({"header":{"revision":"7"},"succeeded":true})"), Revision(7));
    const auto conflict = swapped(R"({"header":{"revision":"7"}})");
    EXPECT_EQ(conflict.error().code, ErrorCode::conflict);
    EXPECT_FALSE(conflict.error().maybe_done());
    const auto nonsense = swapped("{}");
    EXPECT_EQ(nonsense.error().code, ErrorCode::unavailable);
    EXPECT_TRUE(nonsense.error().maybe_done());
}

TEST(EtcdMessages, EventsChangeTheSnapshot) {
    Snapshot snapshot;
    const std::string key = base64_encode("/s/a");
    const std::string put = R"({"result":{"header":{"revision":"9"},"events":[{"kv":{"key":")" + key +
                            R"(","create_revision":"5","mod_revision":"5","lease":"3","value":"eA=="}}]}})";
    EXPECT_TRUE(*apply_watch_line(put, "/s/", snapshot));
    EXPECT_EQ(snapshot.records.at("a"), (Record{"x", Revision(5), Revision(5), LeaseId(3)}));
    EXPECT_EQ(snapshot.revision, Revision(5)) << "what comes between 5 and 9 is not known yet";
    const std::string erased =
        R"({"result":{"events":[{"type":"DELETE","kv":{"key":")" + key + R"(","mod_revision":"6"}}]}})";
    EXPECT_TRUE(*apply_watch_line(erased, "/s/", snapshot));
    EXPECT_TRUE(snapshot.records.empty());
    EXPECT_FALSE(*apply_watch_line(R"({"result":{"created":true}})", "/s/", snapshot));
    EXPECT_FALSE(apply_watch_line(R"({"result":{"canceled":true,"compact_revision":"8"}})", "/s/", snapshot));
    EXPECT_FALSE(
        apply_watch_line(R"({"error":{"grpc_code":14,"message":"etcdserver: no leader"}})", "/s/", snapshot));
    EXPECT_FALSE(apply_watch_line("nonsense", "/s/", snapshot));
}

TEST(EtcdMessages, ErrorsTellWhatMayHaveHappened) {
    const auto judged = [](int code, std::string message) { return judge({code, std::move(message)}); };
    EXPECT_TRUE(judged(14, "etcdserver: request timed out").error.maybe_done());
    EXPECT_TRUE(judged(14, "etcdserver: request timed out").try_elsewhere);
    EXPECT_FALSE(judged(14, "etcdserver: no leader").error.maybe_done());
    EXPECT_FALSE(judged(2, "raft proposal dropped").error.maybe_done());
    EXPECT_TRUE(judged(2, "anything").error.maybe_done());
    EXPECT_TRUE(judged(4, "context deadline exceeded").error.maybe_done());
    EXPECT_EQ(judged(5, "etcdserver: requested lease not found").error.code, ErrorCode::not_found);
    EXPECT_TRUE(judged(16, "etcdserver: invalid auth token").log_in_again);
    EXPECT_TRUE(judged(3, "etcdserver: revision of auth store is old").log_in_again);
    EXPECT_EQ(judged(3, "etcdserver: authentication failed, invalid user ID or password").error.code,
              ErrorCode::denied);
    EXPECT_EQ(judged(7, "etcdserver: permission denied").error.code, ErrorCode::denied);
    EXPECT_EQ(judged(8, "etcdserver: mvcc: database space exceeded").error.code, ErrorCode::unavailable);
}

TEST(EtcdMessages, OnlyEtcdsOwnReportsAreUnderstoodAsSuch) {
    EXPECT_EQ(parse_failure(R"({"error":"x","message":"x","code":5})")->code, 5);
    EXPECT_EQ(parse_failure(R"({"error":{"grpc_code":14,"http_code":503,"message":"m"}})")->message, "m");
    EXPECT_FALSE(parse_failure("404 page not found\n"));
    EXPECT_FALSE(parse_failure("{}"));
}

}  // namespace
}  // namespace pgherd::etcd
