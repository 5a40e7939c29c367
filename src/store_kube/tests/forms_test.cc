// Records as Patroni's annotations, and back.
#include "store_kube/forms.h"

#include <gtest/gtest.h>

#include "codec/records.h"

namespace pgherd::kube {
namespace {

const Layout& layout() {
    static const Layout it({}, "c1");
    return it;
}

Annotations applied(const AnnotationChanges& changes) {
    Annotations result;
    for (const auto& [name, value] : changes)
        if (value) result[name] = *value;
    return result;
}

void expect_same(const std::string& key, const std::string& value) {
    const Field field = layout().field_of(key);
    EXPECT_EQ(from_annotations(field, applied(to_annotations(field, value))), value) << key;
}

TEST(Forms, GiveBackWhatTheAgentWrites) {
    StatusRecord status{Lsn{123}, {{"a", Lsn{1}}, {"b", Lsn{2}}}, {"a", "b"}};
    expect_same("status", write_status(status));
    expect_same("status", write_status({}));
    SyncRecord sync{MemberName("a"), 1, {MemberName("b"), MemberName("c")}, {}};
    expect_same("sync", write_sync(sync));
    expect_same("sync", write_sync({}));
    FailoverRequest request{
        MemberName("a"), MemberName("b"), WallTime(std::chrono::seconds(1'700'000'000)), {}};
    expect_same("failover", write_failover(request));
    request.leader = MemberName();
    request.scheduled_at.reset();
    expect_same("failover", write_failover(request));
    expect_same("leader", "a");
    expect_same("config", "{\"ttl\":30}");
    expect_same("initialize", "");
    expect_same("rule", "{\"term\":1}");
}

TEST(Forms, AreWhatPatroniReads) {
    const auto sync =
        to_annotations(layout().field_of("sync"), R"({"leader":"a","quorum":1,"sync_standby":"b,c"})");
    EXPECT_EQ(applied(sync), (Annotations{{"leader", "a"}, {"quorum", "1"}, {"sync_standby", "b,c"}}));
    const auto status =
        to_annotations(layout().field_of("status"), R"({"optime":77,"slots":{"a":5},"retain_slots":["a"]})");
    EXPECT_EQ(applied(status),
              (Annotations{{"optime", "77"}, {"slots", R"({"a":5})"}, {"retain_slots", R"(["a"])"}}));
}

TEST(Forms, ReadWhatPatroniWrites) {
    const Field status = layout().field_of("status");
    EXPECT_EQ(from_annotations(status, {{"optime", "77"}, {"retain_slots", "[\"a\", \"b\"]"}}),
              R"({"optime":77,"slots":{},"retain_slots":["a","b"]})");
    EXPECT_EQ(from_annotations(status, {{"leader", "a"}}), std::nullopt);
    const Field sync = layout().field_of("sync");
    EXPECT_EQ(from_annotations(sync, {{"leader", "a"}, {"quorum", "0"}}),
              R"({"leader":"a","quorum":0,"sync_standby":null})");
    EXPECT_EQ(from_annotations(layout().field_of("failover"), {}), std::nullopt);
}

TEST(Forms, TakeAllAnnotationsOfARecordAway) {
    for (const std::string key : {"status", "failover", "sync", "leader", "config"})
        for (const auto& [name, value] : to_annotations(layout().field_of(key), std::nullopt))
            EXPECT_FALSE(value) << key << " " << name;
}

TEST(Forms, AFingerprintIgnoresRenewalsButNoChange) {
    const Field leader = layout().field_of("leader");
    const Annotations first{{"leader", "a"}, {"acquireTime", "1"}, {"renewTime", "1"}};
    Annotations renewed = first;
    renewed["renewTime"] = "2";
    Annotations taken_again = first;
    taken_again["acquireTime"] = "2";
    EXPECT_EQ(fingerprint(leader, first), fingerprint(leader, renewed));
    EXPECT_NE(fingerprint(leader, first), fingerprint(leader, taken_again));
    const Field sync = layout().field_of("sync");
    EXPECT_NE(fingerprint(sync, {{"leader", "ab"}}), fingerprint(sync, {{"leader", "a"}, {"quorum", "b"}}));
}

}  // namespace
}  // namespace pgherd::kube
