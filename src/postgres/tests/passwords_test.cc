#include "postgres/passwords.h"

#include <gtest/gtest.h>

namespace pgherd::postgres {
namespace {

// Made by PostgreSQL 15 for the password "pencil".
constexpr auto kStored =
    "SCRAM-SHA-256$4096:tjqtcMHbVqjQ+VmmTjt3pQ==$Aqd1oMBFCACVylBOFIlNj2EZaswyqnnkJ9dDqHzJWKU=:"
    "0HupKgimra8NjUPlOoVHqfZzKQ0pRKvoqDgc2PaUdzc=";

TEST(ScramAccepts, ThePasswordThatPostgresStored) {
    EXPECT_TRUE(scram_accepts(kStored, "pencil"));
    EXPECT_FALSE(scram_accepts(kStored, "pencils"));
    EXPECT_FALSE(scram_accepts(kStored, ""));
}

TEST(ScramAccepts, NothingThatIsDamagedOrOfAnotherKind) {
    const std::string stored = kStored;
    for (std::size_t length = 0; length < stored.rfind(':'); ++length)
        EXPECT_FALSE(scram_accepts(stored.substr(0, length), "pencil")) << length;
    EXPECT_FALSE(scram_accepts("md5e1ea82b4a09cdb46a10dc9b5a1ea0d5f", "pencil"));
    EXPECT_FALSE(scram_accepts("SCRAM-SHA-256$0:AAAA$AAAA:AAAA", ""));
    EXPECT_FALSE(scram_accepts("SCRAM-SHA-256$99999999999999999999:AAAA$AAAA:AAAA", ""));
}

TEST(ReadPasswordFile, GivesWhatEachUserHas) {
    const auto found = read_password_file("*:*:*:replicator:a\\:b\\\\c\n\n*:*:*:postgres:\nnonsense\n");
    EXPECT_EQ(found, (std::map<std::string, std::string>{{"replicator", "a:b\\c"}, {"postgres", ""}}));
}

PostgresConfig with(const std::string& superuser, const std::string& replication) {
    PostgresConfig config;
    config.superuser = {"postgres", superuser, "/secrets/superuser", {}};
    config.replication = {"replicator", replication, "/secrets/replication", {}};
    return config;
}

TEST(FormerPasswords, StayInForceUntilTheyAreForgotten) {
    FormerPasswords former;
    const auto before = with("s1", "r1"), after = with("s1", "r2");
    former.change(before, after);
    EXPECT_FALSE(former.has("postgres"));
    EXPECT_EQ(former.in_force(after.superuser).password, "s1");
    EXPECT_EQ(former.in_force(after.replication).password, "r1");
    former.forget("replicator");
    EXPECT_TRUE(former.empty());
    EXPECT_EQ(former.in_force(after.replication).password, "r2");
}

TEST(FormerPasswords, AreStillTheOldestWhenTheFileChangesTwice) {
    FormerPasswords former;
    former.change(with("s", "r1"), with("s", "r2"));
    former.change(with("s", "r2"), with("s", "r3"));
    EXPECT_EQ(former.in_force(with("s", "r3").replication).password, "r1");
    former.change(with("s", "r3"), with("s", "r1"));
    EXPECT_TRUE(former.empty());
}

TEST(FormerPasswords, AreRememberedFromThePasswordFile) {
    FormerPasswords former;
    former.remember(with("s2", "r2"), {{"postgres", "s2"}, {"replicator", "r1"}, {"other", "x"}});
    EXPECT_FALSE(former.has("postgres"));
    EXPECT_EQ(former.in_force(with("s2", "r2").replication).password, "r1");
}

TEST(FormerPasswords, AreOnlyThoseOfUsersWithAPasswordFile) {
    FormerPasswords former;
    auto config = with("s2", "r2");
    config.replication.password_file.clear();
    former.remember(config, {{"replicator", "r1"}});
    EXPECT_TRUE(former.empty());
}

}  // namespace
}  // namespace pgherd::postgres
