// Who may change something: credentials, allowlist, certificates, this machine.
#include <gtest/gtest.h>

#include "agent/rest_auth.h"
#include "rest_state.h"

namespace pgherd::agent {
namespace {

int reload(Api& api) {
    return api.ask("POST", "/reload").status;
}

std::string basic(std::string_view credentials) {
    return "Basic " + base64_encode(credentials);
}

TEST(RestAccess, WithoutConfigurationOnlyThisMachineMayChangeSomething) {
    Api api(primary());
    EXPECT_EQ(reload(api), 200);
    api.peer = "::1";
    EXPECT_EQ(reload(api), 200);
    api.peer = "10.0.0.9";
    EXPECT_EQ(reload(api), 403);
    EXPECT_EQ(api.status("/config"), 200) << "reading is open";
    EXPECT_EQ(api.commands.calls.size(), 2u);
}

TEST(RestAccess, CredentialsMustBeExactlyRight) {
    Api api(primary());
    api.state.config.restapi.username = "admin";
    api.state.config.restapi.password = "geheim";
    HttpResponse refused = api.ask("POST", "/reload");
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(refused.body, "no auth header received");
    ASSERT_FALSE(refused.headers.empty());
    EXPECT_EQ(refused.headers[0].second, "Basic realm=\"Patroni\"");
    for (const std::string& wrong :
         {basic("admin:geheim2"), basic("admin:"), basic(""), basic("admin:gehein"), std::string("Basic"),
          std::string("Bearer x"), std::string("Basic !!!")}) {
        api.headers["authorization"] = wrong;
        EXPECT_EQ(reload(api), 401) << wrong;
    }
    api.peer = "10.0.0.9";
    api.headers["authorization"] = basic("admin:geheim");
    EXPECT_EQ(reload(api), 200);
}

TEST(RestAccess, TheAllowlistHoldsForEverybody) {
    Api api(primary());
    api.state.config.restapi.allowlist = {"10.1.0.0/16", "192.168.7.3"};
    EXPECT_EQ(reload(api), 403);
    EXPECT_EQ(api.ask("POST", "/reload").body, "Access is denied");
    api.peer = "10.1.200.4";
    EXPECT_EQ(reload(api), 200);
    api.peer = "192.168.7.4";
    EXPECT_EQ(reload(api), 403);
}

TEST(RestAccess, TheAllowlistMayIncludeTheMembers) {
    Api api(primary());
    api.state.config.restapi.allowlist_include_members = true;
    api.peer = "10.0.0.3";
    EXPECT_EQ(reload(api), 200);
    api.peer = "10.0.0.4";
    EXPECT_EQ(reload(api), 403);
}

TEST(RestAccess, AClientCertificateMayBeRequiredForChanges) {
    Api api(primary());
    api.state.config.restapi.tls.cert_file = "server.crt";
    api.state.config.restapi.verify_client = "optional";
    api.peer = "10.0.0.9";
    EXPECT_EQ(api.ask("POST", "/reload").body, "client certificate required");
    api.certificate = true;
    EXPECT_EQ(reload(api), 200);
}

TEST(RestAccess, AMemberMayAskInFailsafeModeFromElsewhere) {
    Api api(replica());
    api.peer = "10.0.0.1";
    api.state.config.restapi.allowlist = {"10.9.0.0/16"};
    HttpResponse response = api.ask(
        "POST", "/failsafe",
        R"({"name":"c1","conn_url":"postgres://10.0.0.1/","api_url":"http://10.0.0.1:8008/patroni","slots":{}})");
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.body, "Accepted");
    ASSERT_FALSE(response.headers.empty());
    EXPECT_EQ(response.headers[0], (std::pair<std::string, std::string>("lsn", "4711")));
}

TEST(RestAccess, NetworksMatchByPrefix) {
    EXPECT_TRUE(in_network("10.1.2.3", "10.1.2.3"));
    EXPECT_TRUE(in_network("::ffff:10.1.2.3", "10.0.0.0/8"));
    EXPECT_TRUE(in_network("10.1.2.3", "0.0.0.0/0"));
    EXPECT_TRUE(in_network("fd00::1", "fd00::/8"));
    EXPECT_TRUE(in_network("127.0.0.1", "localhost"));
    EXPECT_FALSE(in_network("10.1.2.3", "10.1.3.0/24"));
    EXPECT_FALSE(in_network("10.1.2.3", "::/0"));
    EXPECT_FALSE(in_network("10.1.2.3", "10.1.2.3/33"));
    EXPECT_FALSE(in_network("10.1.2.3", "example.org"));
    EXPECT_FALSE(in_network("", "0.0.0.0/0"));
}

}  // namespace
}  // namespace pgherd::agent
