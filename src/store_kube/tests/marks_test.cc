// Revisions of records that share an object, as several clients see them, beside those who know nothing of
// it.
#include "store_kube/marks.h"

#include <gtest/gtest.h>

namespace pgherd::kube {
namespace {

const Layout& layout() {
    static const Layout it({}, "c1");
    return it;
}

// One object as the API keeps it: each write makes a new version.
class Kept {
  public:
    explicit Kept(std::string name) { object_.name = std::move(name); }

    const Object& object() const { return object_; }
    Reading read(const Reading* before = nullptr) const {
        return read_object(object_, layout(), false, before);
    }
    // As this module writes, on the ground of what the writer reads now.
    void put(const std::string& key, std::optional<std::string> value, LeaseId lease = {},
             const AnnotationChanges& more = {}) {
        const Change change{layout().field_of(key), std::move(value), lease};
        apply(change_of(exists() ? &object_ : nullptr, read(), &change, more, "w" + std::to_string(next_)));
    }
    void renew(const AnnotationChanges& more) {
        apply(change_of(&object_, read(), nullptr, more, "w" + std::to_string(next_)));
    }
    void apply(const AnnotationChanges& changes) {
        for (const auto& [name, value] : changes)
            if (value)
                object_.annotations[name] = *value;
            else
                object_.annotations.erase(name);
        object_.version = next_;
        object_.uid = "u";
        next_ += 10;
    }

  private:
    bool exists() const { return object_.version > 0; }
    Object object_;
    std::int64_t next_ = 100;
};

Revision modified(const Reading& reading, const std::string& key) {
    return reading.items.at(key).record.modified;
}

TEST(Marks, ANeighboursChangeMovesNoRevision) {
    Kept kept("c1-config");
    kept.put("config", "1");   // 100
    kept.put("history", "1");  // 110
    kept.put("config", "2");   // 120
    const Reading seen_late = kept.read();
    EXPECT_EQ(modified(seen_late, "config"), Revision(120));
    EXPECT_EQ(modified(seen_late, "history"), Revision(110));
    EXPECT_EQ(seen_late.items.at("config").record.created, Revision(100));
    kept.put("history", std::nullopt);  // 130
    kept.put("initialize", "");
    EXPECT_EQ(modified(kept.read(), "config"), Revision(120));
    EXPECT_FALSE(kept.read().items.contains("history"));
}

TEST(Marks, TheSameValueAgainIsAChange) {
    Kept kept("c1-sync");
    kept.put("sync", "same");
    kept.put("sync", "same");
    EXPECT_EQ(modified(kept.read(), "sync"), Revision(110));
    EXPECT_EQ(kept.read().items.at("sync").record.created, Revision(100));
}

TEST(Marks, AForeignWriterBesideOursMovesNothingForWhoWasWatching) {
    Kept kept("c1-config");
    kept.put("config", "1");  // 100
    const Reading before = kept.read();
    kept.apply({{"history", "[]"}});  // 110, as Patroni would
    const Reading now = kept.read(&before);
    EXPECT_EQ(modified(now, "config"), Revision(100));
    EXPECT_EQ(modified(now, "history"), Revision(110));
}

TEST(Marks, AForeignChangeOfARecordIsAChange) {
    Kept kept("c1-config");
    kept.put("config", "1");    // 100
    kept.put("history", "[]");  // 110
    const Reading before = kept.read();
    kept.apply({{"config", "{\"ttl\":20}"}});  // 120
    const Reading now = kept.read(&before);
    EXPECT_EQ(now.items.at("config").record.value, "{\"ttl\":20}");
    EXPECT_EQ(modified(now, "config"), Revision(120));
    EXPECT_EQ(modified(now, "history"), Revision(110));
    kept.put("history", "[1]");  // 130: from now on all clients agree
    EXPECT_GE(modified(kept.read(), "config"), Revision(120));
}

TEST(Marks, KeepBytesThatHaveNoForm) {
    Kept kept("c1-sync");
    const std::string bytes("\xff\x00 no JSON", 10);
    kept.put("sync", bytes);
    EXPECT_EQ(kept.read().items.at("sync").record.value, bytes);
    kept.apply({{"leader", "a"}, {"quorum", "1"}, {"sync_standby", "b"}});
    EXPECT_EQ(kept.read().items.at("sync").record.value, R"({"leader":"a","quorum":1,"sync_standby":"b"})");
    Kept plain("c1-rule");
    plain.put("rule", bytes);
    EXPECT_EQ(plain.read().items.at("rule").record.value, bytes);
}

TEST(Marks, ARecordHangsOnTheLeaseOfItsLatestWrite) {
    Kept kept("c1-leader");
    kept.put("leader", "a", LeaseId(5), {{"acquireTime", "1"}, {"renewTime", "1"}});
    kept.put("status", R"({"optime":1,"slots":{},"retain_slots":[]})");
    EXPECT_EQ(kept.read().items.at("leader").record.lease, LeaseId(5));
    EXPECT_EQ(kept.read().items.at("status").record.lease, LeaseId());
    kept.renew({{"renewTime", "2"}});
    EXPECT_EQ(modified(kept.read(), "leader"), Revision(100));
    kept.put("leader", "a", LeaseId(6));
    EXPECT_EQ(kept.read().items.at("leader").record.lease, LeaseId(6));
    EXPECT_FALSE(kept.read().items.at("leader").foreign_lease);
}

TEST(Marks, ALeaderOfPatronisHasALeaseThatItsRenewalsKeep) {
    Kept kept("c1-leader");
    kept.put("leader", "a", LeaseId(5), {{"acquireTime", "1"}});
    kept.apply({{"leader", "p"}, {"acquireTime", "2"}, {"renewTime", "2"}});
    const Reading taken = kept.read();
    const Item& item = taken.items.at("leader");
    EXPECT_TRUE(item.foreign_lease);
    EXPECT_EQ(item.record.value, "p");
    EXPECT_NE(item.record.lease, LeaseId());
    kept.apply({{"renewTime", "3"}});
    EXPECT_EQ(kept.read(&taken).items.at("leader").record, item.record);
    kept.put("status", R"({"optime":1,"slots":{},"retain_slots":[]})");  // by a member of ours
    EXPECT_TRUE(kept.read().items.at("leader").foreign_lease);
}

TEST(Marks, AnotherObjectOfTheSameNameIsNew) {
    Kept kept("c1-config");
    kept.apply({{"config", "1"}});
    Reading before = kept.read();
    before.uid = "another";
    before.items.at("config").record.created = before.items.at("config").record.modified = Revision(1);
    EXPECT_EQ(modified(kept.read(&before), "config"), Revision(100));
}

}  // namespace
}  // namespace pgherd::kube
