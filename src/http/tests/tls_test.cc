// TLS from both ends: who trusts whom, and what is said when somebody does not.
#include "http_testing.h"

namespace pgherd {
namespace {

class TlsTest : public HttpTest {
  protected:
    static Certificates& certificates() {
        static Certificates made;
        return made;
    }
    static TlsFiles server() {
        static const TlsFiles files = certificates().files("server");
        return files;
    }
    static TlsFiles client() {
        static const TlsFiles files = certificates().files("client");
        return files;
    }
    static TlsFiles trusting(const std::string& ca) { return {ca, {}, {}, {}, true}; }
    Result<HttpClientResponse> ask(TlsFiles files, std::string host = "127.0.0.1") {
        HttpClient asking(loop_, {.tls = std::move(files)});
        return request(asking, "POST", fmt::format("https://{}:{}/x", host, server_->port()), "hi");
    }
};

TEST_F(TlsTest, ServesWhoTrustsIt) {
    serve({.tls = server()});
    for (const std::string host : {"127.0.0.1", "localhost"}) {
        const auto answer = ask(trusting(certificates().ca), host);
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->body, "POST /x body:hi\n");
    }
}

TEST_F(TlsTest, KeepsItsConnections) {
    serve({.tls = server()});
    HttpClient asking(loop_, {.tls = trusting(certificates().ca)});
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(request(asking, "POST", url("/x", "https"), std::string(300'000, 'x')));
    EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(TlsTest, AClientRefusesAStrangerAndAWrongName) {
    serve({.tls = server()});
    const auto stranger = ask(trusting(certificates().other_ca));
    ASSERT_FALSE(stranger);
    EXPECT_EQ(stranger.error().code, ErrorCode::denied);
    EXPECT_FALSE(stranger.error().maybe_done());
    EXPECT_NE(stranger.error().message.find("certificate refused: "), std::string::npos)
        << stranger.error().message;
    const auto wrong_name = ask(trusting(certificates().ca), "127.0.0.2");
    EXPECT_FALSE(wrong_name);
    TlsFiles careless;
    careless.verify = false;
    EXPECT_TRUE(ask(careless));
    EXPECT_EQ(requests_, 1);
}

TEST_F(TlsTest, AServerMayWantAClientCertificate) {
    serve({.tls = server(), .verify_client = "optional"});
    const auto without = ask(trusting(certificates().ca));
    ASSERT_TRUE(without) << without.error().message;
    EXPECT_EQ(without->body, "POST /x body:hi\n");
    const auto with = ask(client());
    ASSERT_TRUE(with) << with.error().message;
    EXPECT_EQ(with->body, "POST /x certificate body:hi\n");
    TlsFiles foreign = certificates().files("foreign", "other");
    EXPECT_FALSE(ask(foreign));
    ASSERT_TRUE(server_->reload_tls(server(), "required"));
    EXPECT_FALSE(ask(trusting(certificates().ca)));
    EXPECT_TRUE(ask(client()));
    EXPECT_EQ(requests_, 3);
}

TEST_F(TlsTest, NewCertificatesAreTakenOverAndBadOnesAreNot) {
    serve({.tls = server()});
    const TlsFiles renewed = certificates().files("renewed", "other");
    ASSERT_TRUE(server_->reload_tls(renewed, "none"));
    EXPECT_TRUE(ask(trusting(certificates().other_ca)));
    const auto bad = server_->reload_tls({{}, certificates().dir.file("missing"), {}, {}, true}, "none");
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().message, fmt::format("cannot use certificate {}: No such file or directory",
                                               certificates().dir.file("missing")));
    EXPECT_FALSE(
        server_->reload_tls({server().ca_file, server().cert_file, client().key_file, {}, true}, "none"));
    EXPECT_FALSE(server_->reload_tls({}, "none"));
    EXPECT_TRUE(ask(trusting(certificates().other_ca)));
}

TEST_F(TlsTest, AClientReadsItsFilesAgainWhenTheyHaveChanged) {
    serve({.tls = server()});
    const std::string trusted = certificates().dir.file("trusted");
    const auto trust = [&](const std::string& file) {
        std::filesystem::copy_file(file, trusted, std::filesystem::copy_options::overwrite_existing);
    };
    trust(certificates().ca);
    HttpClient asking(loop_, {.tls = trusting(trusted), .keep = Duration{}});
    const auto works = [&] { return request(asking, "GET", url("/", "https")).has_value(); };
    EXPECT_TRUE(works());
    ASSERT_TRUE(server_->reload_tls(certificates().files("moved", "other"), "none"));
    EXPECT_FALSE(works());
    trust(certificates().other_ca);
    EXPECT_TRUE(works());
    trust(certificates().dir.file("extensions"));
    EXPECT_TRUE(works()) << "what cannot be used does not replace what can";
    std::filesystem::remove(trusted);
    EXPECT_TRUE(works());
}

TEST_F(TlsTest, WhoSpeaksNoTlsIsCutOffWithoutHarm) {
    serve({.tls = server(), .idle_timeout = kLimit, .request_timeout = std::chrono::milliseconds(300)});
    RawSocket plain(loop_, server_->port());
    plain.send("GET / HTTP/1.1\r\n\r\n");
    plain.receive();
    EXPECT_TRUE(plain.closed());
    RawSocket silent(loop_, server_->port());
    RawSocket crawling(loop_, server_->port());
    crawling.send("\x16");
    crawling.receive();
    EXPECT_TRUE(crawling.closed());
    EXPECT_FALSE(silent.closed());
    HttpClient asking(loop_, {.tls = trusting(certificates().ca)});
    EXPECT_FALSE(request(asking, "GET", url("/", "http")));
    EXPECT_TRUE(request(asking, "GET", url("/", "https")));
}

TEST_F(TlsTest, ConnectionsWithTlsHaveABoundOfTheirOwn) {
    serve({.tls = server(), .max_tls_connections = 2});
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(
            std::make_unique<HttpClient>(loop_, HttpClientOptions{.tls = trusting(certificates().ca)}));
        ASSERT_TRUE(request(*clients.back(), "GET", url("/", "https"))) << i;
        EXPECT_TRUE(loop_.run_until([&] { return server_->connections() <= 2; }, kLimit));
    }
}

TEST_F(TlsTest, HandshakesThatCrawlMakeRoomForTheNewest) {
    serve({.tls = server(), .max_tls_connections = 2});
    RawSocket first(loop_, server_->port());
    RawSocket second(loop_, server_->port());
    first.send("\x16");
    second.send("\x16");
    ASSERT_TRUE(loop_.run_until([&] { return server_->connections() == 2; }, kLimit));
    HttpClient asking(loop_, {.tls = trusting(certificates().ca)});
    for (int i = 0; i < 3; ++i) {
        const auto answer = request(asking, "GET", url("/", "https"));
        EXPECT_TRUE(answer) << answer.error().message;
    }
    EXPECT_EQ(first.receive(), "");
    EXPECT_TRUE(first.closed());
}

}  // namespace
}  // namespace pgherd
