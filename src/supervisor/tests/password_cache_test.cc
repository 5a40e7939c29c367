#include "supervisor/password_cache.h"

#include <crypt.h>
#include <gtest/gtest.h>

namespace pgherd::supervisor {
namespace {

using supervise::Access;
using supervise::Identities;

std::string hash_of(const char* password) {
    crypt_data data{};
    return ::crypt_r(password, "$6$rounds=1000$salt", &data);
}

class PasswordCacheTest : public ::testing::Test {
  protected:
    void set(const std::string& name, const std::string& hash, Access access = Access::read) {
        ASSERT_TRUE(identities_.replace({{name, {{.access = access, .password_hash = hash}}}}));
    }
    const supervise::Identity* ask(std::string_view name, std::string_view password) {
        return cache_.identity(identities_, name, password, now_);
    }
    Identities identities_;
    PasswordCache cache_;
    Instant now_{std::chrono::seconds(1000)};
};

TEST_F(PasswordCacheTest, GivesTheIdentityAgainAndAgainAndNeverForAWrongPassword) {
    set("bob", hash_of("right"));
    for (int again = 0; again < 3; ++again) {
        EXPECT_NE(ask("bob", "right"), nullptr);
        EXPECT_EQ(ask("bob", "wrong"), nullptr);
        EXPECT_EQ(ask("alice", "right"), nullptr);
    }
}

TEST_F(PasswordCacheTest, FollowsAChangeOfTheIdentityAtOnce) {
    set("bob", hash_of("right"));
    EXPECT_NE(ask("bob", "right"), nullptr);
    set("bob", hash_of("right"), Access::admin);
    ASSERT_NE(ask("bob", "right"), nullptr);
    EXPECT_EQ(ask("bob", "right")->access, Access::admin);
    set("bob", hash_of("another"));
    EXPECT_EQ(ask("bob", "right"), nullptr);
    EXPECT_NE(ask("bob", "another"), nullptr);
    ASSERT_TRUE(identities_.remove({{"bob", std::nullopt}}));
    EXPECT_EQ(ask("bob", "another"), nullptr);
}

TEST_F(PasswordCacheTest, IsMuchCheaperTheSecondTimeAndForgetsInTheEnd) {
    crypt_data data{};
    set("bob", ::crypt_r("right", "$6$rounds=50000$salt", &data));
    const auto took = [&] {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_NE(ask("bob", "right"), nullptr);
        return std::chrono::steady_clock::now() - begin;
    };
    const auto first = took();
    EXPECT_LT(took() * 10, first);
    now_ += PasswordCache::kLifetime;
    EXPECT_GT(took() * 10, first);
}

TEST_F(PasswordCacheTest, HoldsSoManyAndNoMore) {
    for (std::size_t number = 0; number < 2 * PasswordCache::kPlaces; ++number) {
        const std::string name = "user" + std::to_string(number);
        set(name, hash_of("right"));
        EXPECT_NE(ask(name, "right"), nullptr);
        EXPECT_NE(ask(name, "right"), nullptr);
    }
}

}  // namespace
}  // namespace pgherd::supervisor
