// Where the API is, as a kubeconfig says it.
#include "store_kube/access.h"

#include <gtest/gtest.h>

namespace pgherd::kube {
namespace {

const std::string kConfig = R"(
current-context: a
contexts:
- {name: a, context: {cluster: one, user: cert, namespace: pg}}
- {name: b, context: {cluster: two, user: token}}
- {name: c, context: {cluster: one, user: program}}
- {name: d, context: {cluster: one, user: nobody}}
clusters:
- {name: one, cluster: {server: 'https://one:6443/', certificate-authority: pki/ca.crt}}
- {name: two, cluster: {server: 'https://two', certificate-authority-data: Q0E=, insecure-skip-tls-verify: true}}
users:
- {name: cert, user: {client-certificate-data: Q0VSVA==, client-key: /k.pem}}
- {name: token, user: {tokenFile: tok}}
- {name: program, user: {exec: {command: x}}}
)";

Result<Access> read(const std::string& context) {
    return read_kubeconfig(kConfig, "config", "/home/u/.kube", context);
}

TEST(Kubeconfig, GivesServerAndCredentials) {
    const auto access = read("");
    ASSERT_TRUE(access) << access.error().message;
    EXPECT_EQ(access->servers, std::vector<std::string>{"https://one:6443"});
    EXPECT_EQ(access->namespace_, "pg");
    EXPECT_EQ(access->tls.ca_file, "/home/u/.kube/pki/ca.crt");
    EXPECT_EQ(access->tls.cert_data, "CERT");
    EXPECT_EQ(access->tls.key_file, "/k.pem");
    EXPECT_TRUE(access->tls.verify);
}

TEST(Kubeconfig, HasSeveralContexts) {
    const auto access = read("b");
    ASSERT_TRUE(access) << access.error().message;
    EXPECT_EQ(access->servers, std::vector<std::string>{"https://two"});
    EXPECT_EQ(access->tls.ca_data, "CA");
    EXPECT_FALSE(access->tls.verify);
    EXPECT_EQ(access->token_file, "/home/u/.kube/tok");
}

TEST(Kubeconfig, SaysWhatIsWrongWithIt) {
    EXPECT_EQ(read("x").error().message, "cannot use config: no context \"x\" under \"contexts\"");
    EXPECT_EQ(read("d").error().message, "cannot use config: no user \"nobody\" under \"users\"");
    EXPECT_EQ(read("c").error().message,
              "cannot use config: its user gets credentials by \"exec\", which is not supported; use a "
              "certificate or "
              "a token");
    EXPECT_EQ(read_kubeconfig("[]", "f", "/", "").error().message, "cannot use f: it is no kubeconfig");
    EXPECT_EQ(find_access({.kubeconfig = "/nonexistent"}, {}).error().message,
              "cannot use the Kubernetes API: cannot read /nonexistent: No such file or directory");
}

}  // namespace
}  // namespace pgherd::kube
