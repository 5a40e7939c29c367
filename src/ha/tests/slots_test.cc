// Which replication slots a member keeps, and where.
#include "ha/slots.h"

#include <gtest/gtest.h>

namespace pgherd::ha {
namespace {

using Slots = std::map<std::string, Lsn>;

class WantedSlots : public testing::Test {
  protected:
    WantedSlots() {
        for (const char* name : {"a", "b", "c"}) cluster_.members[MemberName(name)].name = MemberName(name);
    }
    Member& member(const char* name) { return cluster_.members[MemberName(name)]; }
    Slots on(const char* self, bool primary) {
        return wanted_slots({.self = MemberName(self),
                             .primary = primary,
                             .may_lead = member(self).tags.may_lead(),
                             .cluster = &cluster_,
                             .config = &config_,
                             .gone = gone_,
                             .now = Instant(std::chrono::hours(1))});
    }

    ClusterView cluster_;
    DynamicConfig config_;
    std::map<MemberName, Instant> gone_;
};

TEST_F(WantedSlots, APrimaryKeepsOneForEveryOtherMember) {
    EXPECT_EQ(on("a", true), (Slots{{"b", Lsn{}}, {"c", Lsn{}}}));
}

TEST_F(WantedSlots, AStandbyKeepsTheOthersWhereTheLeaderHasPublishedThem) {
    EXPECT_EQ(on("b", false), Slots());
    cluster_.status.slots["c"] = Lsn{0x5000};
    EXPECT_EQ(on("b", false), (Slots{{"c", Lsn{0x5000}}}));
    member("b").tags.nofailover = true;
    EXPECT_EQ(on("b", false), Slots()) << "it will never lead";
}

// The leader knows nothing of that slot, and the member could never stream without.
TEST_F(WantedSlots, AStandbyKeepsOneForWhoeverStreamsFromIt) {
    member("c").tags.replicatefrom = MemberName("b");
    EXPECT_EQ(on("b", false), (Slots{{"c", Lsn{}}}));
    EXPECT_EQ(on("a", true), (Slots{{"b", Lsn{}}}));
    member("b").tags.nofailover = true;
    EXPECT_EQ(on("b", false), (Slots{{"c", Lsn{}}}));
}

TEST_F(WantedSlots, AMemberWhoseSourceIsGoneStreamsFromTheLeader) {
    member("c").tags.replicatefrom = MemberName("nobody");
    EXPECT_EQ(on("a", true), (Slots{{"b", Lsn{}}, {"c", Lsn{}}}));
}

TEST_F(WantedSlots, AMemberThatLeftKeepsItsSlotForAWhile) {
    cluster_.members.erase(MemberName("c"));
    gone_[MemberName("c")] =
        Instant(std::chrono::hours(1)) - config_.member_slots_ttl + std::chrono::seconds(1);
    EXPECT_EQ(on("a", true), (Slots{{"b", Lsn{}}, {"c", Lsn{}}}));
    gone_[MemberName("c")] = Instant(std::chrono::hours(1)) - config_.member_slots_ttl;
    EXPECT_EQ(on("a", true), (Slots{{"b", Lsn{}}}));
}

TEST_F(WantedSlots, WhoDoesNotStreamNeedsNone) {
    member("c").tags.nostream = true;
    EXPECT_EQ(on("a", true), (Slots{{"b", Lsn{}}}));
    config_.use_slots = false;
    EXPECT_EQ(on("a", true), Slots());
}

TEST_F(WantedSlots, NamesAreThoseThatPatroniMakes) {
    EXPECT_EQ(slot_name(MemberName("Node-1.example")), "node_1_example");
    EXPECT_EQ(slot_name(MemberName("A@b")), "au0064b");
    EXPECT_EQ(slot_name(MemberName("\xc3\xa4")), "u0228");
    EXPECT_EQ(slot_name(MemberName("\xf0\x9f\x90\x98")), "u128024");
    EXPECT_EQ(slot_name(MemberName("\xff")), "u0255");
    EXPECT_EQ(slot_name(MemberName(std::string(70, 'a'))), std::string(63, 'a'));
}

}  // namespace
}  // namespace pgherd::ha
