// What etcd alone promises: several endpoints, restarts, silence, login, TLS.
#include "etcd_testing.h"

namespace pgherd {
namespace {

class EtcdStoreTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (etcd_program().empty()) GTEST_SKIP() << "etcd is not installed";
    }
    std::unique_ptr<Store> open(const StoreConfig& config) {
        auto store = open_etcd_store(loop_, config, "/service/c1/");
        EXPECT_TRUE(store) << store.error().message;
        return std::move(*store);
    }
    // What the latest report of a watch says: "error", or the value of "config" ("-" if there is none).
    std::unique_ptr<Watch> follow(Store& store, std::string& seen) {
        return store.watch([&seen](Result<SnapshotPtr> result) {
            if (!result)
                seen = "error";
            else
                seen = (*result)->records.contains("config") ? (*result)->records.at("config").value : "-";
        });
    }
    bool run_until(const std::function<bool()>& condition) { return loop_.run_until(condition, kEtcdLimit); }
    std::string post(const EtcdServer& server, const std::string& path, const std::string& body) {
        const auto answer =
            etcd_request(loop_, fmt::format("http://127.0.0.1:{}{}", server.port(), path), body);
        EXPECT_TRUE(answer && answer->status == 200) << (answer ? answer->body : answer.error().message);
        return answer ? answer->body : "";
    }

    EventLoop loop_;
    StoreCaller caller_{loop_, kEtcdLimit};
};

TEST_F(EtcdStoreTest, OpensWithoutEtcdAndSaysWhoCannotBeReached) {
    StoreConfig config;
    config.endpoints = {{"127.0.0.1", free_port()}, {"127.0.0.1", free_port()}};
    const auto store = open(config);
    const auto read = caller_.load(*store);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::unavailable);
    EXPECT_EQ(read.error().message,
              fmt::format("cannot read the store: cannot reach 127.0.0.1:{}: connection refused; "
                          "cannot reach 127.0.0.1:{}: connection refused",
                          config.endpoints[0].port, config.endpoints[1].port));
    const auto written = caller_.put(*store, "config", "x");
    ASSERT_FALSE(written);
    EXPECT_FALSE(written.error().maybe_done());
    std::string seen;
    const auto watch = follow(*store, seen);
    EXPECT_TRUE(run_until([&] { return seen == "error"; }));
    EXPECT_FALSE(open_etcd_store(loop_, {}, "/service/c1/"));
}

TEST_F(EtcdStoreTest, GoesToTheEndpointThatWorks) {
    EtcdServer server;
    StoreConfig config = server.config();
    config.endpoints.insert(config.endpoints.begin(), {"127.0.0.1", free_port()});
    const auto store = open(config);
    ASSERT_TRUE(caller_.reachable(*store));
    EXPECT_TRUE(caller_.put(*store, "config", "x"));
    EXPECT_EQ((*caller_.load(*store))->records.at("config").value, "x");
}

TEST_F(EtcdStoreTest, ASilentEndpointCostsReadingOnlyPartOfItsTime) {
    EtcdServer server;
    EtcdServer silent;
    StoreConfig config = server.config();
    config.endpoints.insert(config.endpoints.begin(), silent.config().endpoints.front());
    const auto probe = open(silent.config());
    ASSERT_TRUE(caller_.reachable(*probe));
    const auto store = open(config);
    ASSERT_TRUE(caller_.load(*store));
    silent.pause();
    const auto read = caller_.load(*store, std::chrono::seconds(2));
    EXPECT_TRUE(read) << read.error().message;
    silent.resume();
}

TEST_F(EtcdStoreTest, AWriteToASilentEndpointIsMaybeDoneAndNotRepeatedElsewhere) {
    EtcdServer server;
    EtcdServer other;
    StoreConfig config = server.config();
    config.endpoints.push_back(other.config().endpoints.front());
    const auto store = open(config);
    const auto direct = open(other.config());
    ASSERT_TRUE(caller_.reachable(*store) && caller_.reachable(*direct));
    server.pause();
    const auto written = caller_.put(*store, "config", "x", {}, std::chrono::milliseconds(500));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::timeout);
    EXPECT_TRUE(written.error().maybe_done());
    EXPECT_TRUE((*caller_.load(*direct))->records.empty());
    server.resume();
}

TEST_F(EtcdStoreTest, AWatchReportsAnOutageOnceAndGoesOnAfterARestart) {
    EtcdServer server;
    const auto store = open(server.config());
    ASSERT_TRUE(caller_.reachable(*store));
    ASSERT_TRUE(caller_.put(*store, "config", "1"));
    std::string seen;
    int errors = 0;
    const auto watch = store->watch([&](Result<SnapshotPtr> result) {
        if (!result) ++errors;
        seen = result ? (*result)->records.at("config").value : "error";
    });
    ASSERT_TRUE(run_until([&] { return seen == "1"; }));
    server.stop();
    ASSERT_TRUE(run_until([&] { return seen == "error"; }));
    loop_.run_until([] { return false; }, std::chrono::milliseconds(500));
    EXPECT_EQ(errors, 1);
    server.start();
    ASSERT_TRUE(run_until([&] { return seen == "1"; }));
    ASSERT_TRUE(run_until([&] { return caller_.put(*store, "config", "2").has_value(); }));
    EXPECT_TRUE(run_until([&] { return seen == "2"; }));
    EXPECT_EQ(errors, 1);
}

TEST_F(EtcdStoreTest, AWatchMovesAwayFromAnEndpointThatFailsAWrite) {
    EtcdServer server;
    Proxy working(loop_, server.port());
    Proxy breaking(loop_, server.port(), is_write);
    StoreConfig config = server.config();
    config.endpoints = {{"127.0.0.1", breaking.port()}, {"127.0.0.1", working.port()}};
    const auto store = open(config);
    ASSERT_TRUE(caller_.reachable(*store));
    std::string seen;
    const auto watch = follow(*store, seen);
    ASSERT_TRUE(run_until([&] { return seen == "-"; }));
    const std::size_t before = working.accepted;
    breaking.lose_next_answer = true;
    EXPECT_FALSE(caller_.put(*store, "config", "1"));
    EXPECT_TRUE(run_until([&] { return seen == "1" && working.accepted > before; }));
}

TEST_F(EtcdStoreTest, LogsInAndAgainWhenTheTokenIsForgotten) {
    EtcdServer server({"--auth-token-ttl", "1"});
    {
        const auto probe = open(server.config());
        ASSERT_TRUE(caller_.reachable(*probe));
    }
    StoreConfig config = server.config();
    config.username = "root";
    config.password = "secret";
    const auto early = open(config);
    EXPECT_TRUE(caller_.put(*early, "config", "0"))
        << "while authentication is switched off, a login does no harm";
    post(server, "/v3/auth/user/add", R"({"name":"root","password":"secret"})");
    post(server, "/v3/auth/role/add", R"({"name":"root"})");
    post(server, "/v3/auth/user/grant", R"({"user":"root","role":"root"})");
    post(server, "/v3/auth/enable", "{}");

    const auto anonymous = open(server.config());
    const auto refused = caller_.load(*anonymous);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::denied) << refused.error().message;
    config.password = "wrong";
    const auto wrong = open(config);
    EXPECT_EQ(caller_.load(*wrong).error().code, ErrorCode::denied);
    config.password = "secret";
    const auto store = open(config);
    for (const auto* user : {&store, &early}) {
        const auto written = caller_.put(**user, "config", "1");
        ASSERT_TRUE(written) << written.error().message;
    }
    std::string seen;
    const auto watch = follow(*store, seen);
    ASSERT_TRUE(run_until([&] { return seen == "1"; }));
    server.stop();  // a restarted etcd knows no token
    server.start();
    ASSERT_TRUE(run_until([&] { return caller_.put(*store, "config", "2").has_value(); }));
    EXPECT_TRUE(run_until([&] { return seen == "2"; }));
}

TEST_F(EtcdStoreTest, SpeaksTlsWithAClientCertificate) {
    TempDir dir;
    const auto openssl = [&](const std::string& arguments) {
        ASSERT_EQ(
            std::system(("cd " + dir.file("") + " && openssl " + arguments + " >/dev/null 2>&1").c_str()), 0)
            << arguments;
    };
    ASSERT_EQ(std::system(("echo subjectAltName=IP:127.0.0.1 > " + dir.file("ext")).c_str()), 0);
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days "
        "2 -subj /CN=ca");
    for (const std::string name : {"server", "client"}) {
        openssl(
            fmt::format("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {0}.key -out "
                        "{0}.csr -subj /",
                        name));
        openssl(
            fmt::format("x509 -req -in {0}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out {0}.crt "
                        "-extfile ext",
                        name));
    }
    EtcdServer server({"--cert-file", dir.file("server.crt"), "--key-file", dir.file("server.key"),
                       "--trusted-ca-file", dir.file("ca.crt"), "--client-cert-auth"},
                      "https");
    StoreConfig config = server.config();
    config.https = true;
    config.tls = {dir.file("ca.crt"), dir.file("client.crt"), dir.file("client.key"), {}, true};
    const auto store = open(config);
    ASSERT_TRUE(caller_.reachable(*store)) << caller_.load(*store).error().message;
    std::string seen;
    const auto watch = follow(*store, seen);
    ASSERT_TRUE(run_until([&] { return seen == "-"; }));
    EXPECT_TRUE(caller_.put(*store, "config", "x"));
    EXPECT_TRUE(run_until([&] { return seen == "x"; }));

    StoreConfig distrustful = config;
    distrustful.tls.ca_file = dir.file("client.crt");
    const auto refused = caller_.load(*open(distrustful));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable) << "etcd was not asked";

    config.tls.cert_file.clear();
    const auto without = open(config);
    EXPECT_FALSE(caller_.load(*without));
    config.tls.ca_file = dir.file("missing");
    const auto broken = open_etcd_store(loop_, config, "/service/c1/");
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().message.find(dir.file("missing")), std::string::npos);
}

TEST_F(EtcdStoreTest, SaysThatSomethingElseListensThere) {
    EtcdServer server;
    StoreConfig config = server.config();
    const auto ready = open(config);
    ASSERT_TRUE(caller_.reachable(*ready));
    config.https = true;
    const auto store = open(config);
    const auto read = caller_.load(*store);
    ASSERT_FALSE(read);
    EXPECT_NE(read.error().message.find("TLS handshake failed"), std::string::npos) << read.error().message;
}

}  // namespace
}  // namespace pgherd
