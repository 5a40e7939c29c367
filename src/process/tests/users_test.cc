// Users and groups: root and nobody exist everywhere.
#include "process/users.h"

#include <gtest/gtest.h>

namespace pgherd {
namespace {

std::string answer(std::optional<std::int64_t> uid, const std::string& user, std::optional<std::int64_t> gid,
                   const std::string& group) {
    const auto result = resolve_user(uid, user, gid, group);
    if (!result) return result.error().message;
    if (!*result) return "nothing";
    return std::to_string((*result)->uid) + ":" + std::to_string((*result)->gid);
}

TEST(Users, AreResolvedByNameOrNumber) {
    EXPECT_EQ(answer({}, "", {}, ""), "nothing");
    EXPECT_EQ(answer({}, "root", {}, ""), "0:0");
    EXPECT_EQ(answer(0, "", {}, ""), "0:0");
    EXPECT_EQ(answer(0, "root", 0, "root"), "0:0");
    EXPECT_EQ(answer(4242424, "", 7, ""), "4242424:7") << "numbers need no entry";
    EXPECT_EQ(answer({}, "root", 7, ""), "0:7");
}

TEST(Users, AreRefusedInWordsThatClientsKnow) {
    EXPECT_EQ(answer({}, "nosuch", {}, ""), "user: unknown user nosuch");
    EXPECT_EQ(answer({}, "root", {}, "nosuch"), "group: unknown group nosuch");
    EXPECT_EQ(answer(1, "root", {}, ""), "user \"root\" UID (0) does not match user-id (1)");
    EXPECT_EQ(answer(0, "", 1, "root"), "group \"root\" GID (0) does not match group-id (1)");
    EXPECT_EQ(answer({}, "", 0, ""), "must specify user, not just group");
    EXPECT_EQ(answer({}, "", {}, "root"), "must specify user, not just group");
    EXPECT_EQ(answer(4242424, "", {}, ""), "user: unknown userid 4242424");
    EXPECT_EQ(answer(-1, "", {}, ""), "user: unknown userid -1");
}

TEST(Users, HaveHomesAndNames) {
    EXPECT_EQ(find_user("root")->home, "/root");
    EXPECT_EQ(find_user(0)->name, "root");
    EXPECT_EQ(find_group_name(0), "root");
    EXPECT_EQ(find_group("root"), 0u);
    EXPECT_FALSE(find_group_name(4242424));
}

}  // namespace
}  // namespace pgherd
