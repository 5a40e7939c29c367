#include "supervise/identities.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace pgherd::supervise {
namespace {

// `openssl passwd -6 -salt pepper secret`
constexpr const char* kHash =
    "$6$pepper$2Z6D7B1GHphRwAkDE2YJPR/Tz3pYzJVGFj5UOun/UCaxbGzjpckaQI2gu8BE7DfAQVvJ1RMHN0aDV0DT6ow8L.";

IdentityInput input(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos;) text[at] = '"';
    const auto parsed = parse_identities(*parse_json_object(text));
    EXPECT_TRUE(parsed) << parsed.error().message;
    return parsed.value_or(IdentityInput{});
}

std::string refusal(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos;) text[at] = '"';
    const auto parsed = parse_identities(*parse_json_object(text));
    return parsed ? "" : parsed.error().message;
}

TEST(Identities, AreFoundByUserAndByPassword) {
    Identities identities;
    ASSERT_TRUE(identities.add(
        input(std::string("{'bob': {'access': 'read', 'local': {'user-id': 1000}}, 'prom': {'access': "
                          "'metrics', 'basic': {'password': '") +
              kHash + "'}}}")));
    EXPECT_EQ(identities.for_user_id(1000)->access, Access::read);
    EXPECT_EQ(identities.for_user_id(1001), nullptr);
    ASSERT_NE(identities.for_password("prom", "secret"), nullptr);
    EXPECT_EQ(identities.for_password("prom", "wrong"), nullptr);
    EXPECT_EQ(identities.for_password("bob", ""), nullptr);
}

TEST(Identities, HideTheirSecretsFromClients) {
    Identities identities;
    ASSERT_TRUE(identities.add(input("{'p': {'access': 'metrics', 'basic': {'password': '$6$x'}}}")));
    EXPECT_EQ(to_text(identities.with_secrets_hidden()),
              R"({"p":{"access":"metrics","basic":{"password":"*****"}}})");
    Identities again;
    ASSERT_TRUE(again.restore(identities.with_secrets()));
    EXPECT_EQ(again.all(), identities.all());
}

TEST(Identities, ChangeAllAtOnceOrNotAtAll) {
    Identities identities;
    ASSERT_TRUE(identities.add(input("{'bob': {'access': 'read', 'local': {'user-id': 1000}}}")));
    EXPECT_EQ(identities
                  .add(input("{'bob': {'access': 'read', 'local': {'user-id': 1}}, 'eve': {'access': "
                             "'admin', 'local': {'user-id': 2}}}"))
                  .error()
                  .message,
              "identities already exist: bob");
    EXPECT_EQ(
        identities.update(input("{'eve': {'access': 'admin', 'local': {'user-id': 2}}}")).error().message,
        "identities do not exist: eve");
    EXPECT_EQ(
        identities.add(input("{'eve': {'access': 'admin', 'local': {'user-id': 1000}}}")).error().message,
        "cannot have multiple identities with user ID 1000 (bob, eve)");
    EXPECT_EQ(identities.remove(input("{'alice': null}")).error().message, "identities do not exist: alice");
    EXPECT_EQ(identities.all().size(), 1u);
    ASSERT_TRUE(
        identities.replace(input("{'bob': null, 'eve': {'access': 'admin', 'local': {'user-id': 1000}}}")));
    EXPECT_EQ(identities.for_user_id(1000)->access, Access::admin);
}

TEST(Identities, AreRefusedWithAReason) {
    EXPECT_NE(refusal("{'b': {'local': {'user-id': 1}}}").find("access must be specified"),
              std::string::npos);
    EXPECT_NE(refusal("{'b': {'access': 'x', 'local': {'user-id': 1}}}").find("invalid access value \"x\""),
              std::string::npos);
    EXPECT_NE(refusal("{'b': {'access': 'read'}}").find("at least one type"), std::string::npos);
    EXPECT_NE(refusal("{'b': {'access': 'read', 'local': {}}}").find("user-id"), std::string::npos);
    EXPECT_NE(refusal("{'b': {'access': 'read', 'basic': {}}}").find("password"), std::string::npos);
    EXPECT_NE(refusal("{'1b': {'access': 'read', 'local': {'user-id': 1}}}").find("alphabetic"),
              std::string::npos);
    EXPECT_NE(refusal("{'b': 5}").find("object"), std::string::npos);
}

}  // namespace
}  // namespace pgherd::supervise
