// The client: what its errors say, what it keeps, what it repeats.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "codec/peer.h"
#include "eventloop/testing/proxy.h"
#include "http/peer_client.h"
#include "http/url.h"
#include "http_testing.h"

namespace pgherd {
namespace {

using HttpClientTest = HttpTest;
using boost::asio::ip::tcp;

// A peer that does what it is told with the connections it gets.
class RudePeer {
  public:
    RudePeer(EventLoop& loop, std::function<std::string(int)> answer, bool close_after = true)
        : acceptor_(loop.context(), {boost::asio::ip::address_v4::loopback(), 0}),
          answer_(std::move(answer)),
          close_(close_after) {
        accept();
    }
    std::string url(const std::string& path) const {
        return fmt::format("http://127.0.0.1:{}{}", acceptor_.local_endpoint().port(), path);
    }
    int requests = 0;
    void add(std::string_view text) {
        boost::system::error_code ignored;
        sockets_.back()->write_some(boost::asio::buffer(text), ignored);
    }

  private:
    void accept() {
        acceptor_.async_accept([this](auto error, tcp::socket socket) {
            if (error) return;
            sockets_.push_back(std::make_unique<tcp::socket>(std::move(socket)));
            read(*sockets_.back());
            accept();
        });
    }
    void read(tcp::socket& socket) {
        socket.async_read_some(boost::asio::buffer(buffer_), [this, &socket](auto error, std::size_t) {
            if (error) return;
            const std::string text = answer_(requests++);
            boost::system::error_code ignored;
            socket.write_some(boost::asio::buffer(text), ignored);
            if (close_)
                socket.close(ignored);
            else
                read(socket);
        });
    }
    tcp::acceptor acceptor_;
    std::function<std::string(int)> answer_;
    bool close_;
    std::vector<std::unique_ptr<tcp::socket>> sockets_;
    std::array<char, 4096> buffer_{};
};

TEST(Url, IsTakenApart) {
    const auto url = parse_url("https://[fe80::1]:8443/patroni?x=1#y");
    ASSERT_TRUE(url);
    EXPECT_TRUE(url->tls);
    EXPECT_EQ(url->host, "fe80::1");
    EXPECT_EQ(url->authority(), "[fe80::1]:8443");
    EXPECT_EQ(url->target, "/patroni?x=1");
    EXPECT_EQ(parse_url("http://a")->target, "/");
    EXPECT_EQ(parse_url("http://a?q")->target, "/?q");
    EXPECT_EQ(parse_url("HTTPS://a")->port, 443);
    for (const auto bad : {"", "a:80", "ftp://a", "http://", "http://a:0/", "http://a:99999/", "http://a b/",
                           "http://[::1/", "http://u:p@a/", "http://a/\r\nX: y", "http://[::1]80/"})
        EXPECT_FALSE(parse_url(bad)) << bad;
}

TEST_F(HttpClientTest, UsesAConnectionAgain) {
    serve();
    HttpClient client(loop_);
    for (int i = 0; i < 5; ++i) {
        const auto answer = request(client, "POST", url("/x"), "hi");
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->status, 200);
        EXPECT_EQ(answer->body, "POST /x body:hi\n");
        EXPECT_EQ(answer->headers.at("content-type"), "text/plain");
    }
    EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpClientTest, SaysThatNobodyListens) {
    serve();
    const std::string gone = url("/");
    const std::uint16_t port = server_->port();
    server_.reset();
    HttpClient client(loop_);
    const auto answer = request(client, "POST", gone, "x");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
    EXPECT_EQ(answer.error().message, fmt::format("cannot reach 127.0.0.1:{}: connection refused", port));
    EXPECT_FALSE(answer.error().maybe_done());
}

TEST_F(HttpClientTest, SaysThatNobodyAnswersInTime) {
    handler_ = [held = std::make_shared<std::vector<std::move_only_function<void(HttpResponse)>>>()](
                   HttpRequest, auto respond) { held->push_back(std::move(respond)); };
    serve();
    HttpClient client(loop_);
    const auto answer = request(client, "POST", url("/slow?secret=1"), "x", std::chrono::milliseconds(100));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::timeout);
    EXPECT_TRUE(answer.error().maybe_done());
    EXPECT_TRUE(answer.error().message.starts_with(
        fmt::format("no answer from 127.0.0.1:{} to POST /slow within ", server_->port())))
        << answer.error().message;
}

TEST_F(HttpClientTest, GivesUpConnectingInTime) {
    // A listener whose queue is full takes no more connections: the kernel drops them silently.
    boost::asio::io_context other;
    tcp::acceptor full(other);
    full.open(tcp::v4());
    full.bind({boost::asio::ip::address_v4::loopback(), 0});
    full.listen(0);
    std::vector<std::unique_ptr<tcp::socket>> fill;
    for (int i = 0; i < 4; ++i) {
        fill.push_back(std::make_unique<tcp::socket>(other));
        fill.back()->open(tcp::v4());
        fill.back()->native_non_blocking(true);
        const auto address = full.local_endpoint();
        ::connect(fill.back()->native_handle(), address.data(), static_cast<socklen_t>(address.size()));
    }
    HttpClient client(loop_, {.connect_timeout = std::chrono::milliseconds(200)});
    const auto answer =
        request(client, "POST", fmt::format("http://127.0.0.1:{}/", full.local_endpoint().port()), "x");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::timeout);
    EXPECT_FALSE(answer.error().maybe_done());
    EXPECT_NE(answer.error().message.find("connect timed out after 0.2"), std::string::npos)
        << answer.error().message;
}

TEST_F(HttpClientTest, DoesNotKnowWhatHappenedWhenThePeerClosesWithoutAnAnswer) {
    RudePeer peer(loop_, [](int) { return ""; });
    HttpClient client(loop_);
    const auto answer = request(client, "POST", peer.url("/"), "x");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
    EXPECT_TRUE(answer.error().maybe_done());
    EXPECT_EQ(peer.requests, 1);
}

TEST_F(HttpClientTest, RepeatsAGetButNoPostWhenAKeptConnectionDiesUnderIt) {
    // The first answer on each connection is fine; the second request finds the peer closing.
    const auto answers = [](int n) {
        return n % 2 == 0 ? std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") : std::string();
    };
    for (const std::string method : {"GET", "POST"}) {
        EventLoop loop;
        auto acceptor = std::make_shared<tcp::acceptor>(
            loop.context(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
        int requests = 0;
        std::vector<std::shared_ptr<tcp::socket>> sockets;
        std::array<char, 4096> buffer{};
        std::function<void(std::shared_ptr<tcp::socket>)> read = [&](std::shared_ptr<tcp::socket> socket) {
            socket->async_read_some(boost::asio::buffer(buffer), [&, socket](auto error, std::size_t) {
                if (error) return;
                const std::string text = answers(requests++);
                boost::system::error_code ignored;
                if (text.empty()) return void(socket->close(ignored));
                socket->write_some(boost::asio::buffer(text), ignored);
                read(socket);
            });
        };
        std::function<void()> accept = [&] {
            acceptor->async_accept([&](auto error, tcp::socket socket) {
                if (error) return;
                sockets.push_back(std::make_shared<tcp::socket>(std::move(socket)));
                read(sockets.back());
                accept();
            });
        };
        accept();
        HttpClient client(loop);
        std::vector<Result<HttpClientResponse>> results;
        for (std::size_t i = 1; i <= 2; ++i) {
            client.request(method, fmt::format("http://127.0.0.1:{}/", acceptor->local_endpoint().port()), {},
                           "", loop.clock().now() + kLimit,
                           [&](Result<HttpClientResponse> r) { results.push_back(std::move(r)); });
            ASSERT_TRUE(loop.run_until([&] { return results.size() == i; }, kLimit));
        }
        EXPECT_TRUE(results[0]);
        EXPECT_EQ(results[1].has_value(), method == "GET");
        EXPECT_EQ(requests, method == "GET" ? 3 : 2);
        if (!results[1]) EXPECT_TRUE(results[1].error().maybe_done());
        boost::system::error_code ignored;
        acceptor->close(ignored);
    }
}

TEST_F(HttpClientTest, ClosesKeptConnectionsToHostsThatNobodyAsksAnyMore) {
    serve();
    const auto answer_at_once = [](HttpRequest, auto respond) { respond({}); };
    auto other = HttpServer::listen(loop_, {.listen = {"127.0.0.1", 0}}, answer_at_once);
    ASSERT_TRUE(other) << other.error().message;
    HttpClient client(loop_, {.keep = std::chrono::milliseconds(50)});
    ASSERT_TRUE(request(client, "GET", url("/")));
    EXPECT_EQ(server_->connections(), 1U);
    const std::string there = fmt::format("http://127.0.0.1:{}/", (*other)->port());
    EXPECT_TRUE(loop_.run_until(
        [&] {
            EXPECT_TRUE(request(client, "GET", there));
            return server_->connections() == 0;
        },
        kLimit));
}

TEST_F(HttpClientTest, TrustsNoOtherKeptConnectionWhenOneHasDiedSilently) {
    serve();
    Proxy between(loop_, server_->port());
    const std::string there = fmt::format("http://127.0.0.1:{}/", between.port());
    HttpClient client(loop_);
    int answers = 0;
    for (int i = 0; i < 3; ++i)
        client.request("GET", there, {}, {}, loop_.clock().now() + kLimit, [&](auto answer) {
            EXPECT_TRUE(answer);
            ++answers;
        });
    ASSERT_TRUE(loop_.run_until([&] { return answers == 3; }, kLimit));
    EXPECT_EQ(between.accepted, 3U);
    between.freeze();
    EXPECT_FALSE(request(client, "POST", there, "x", std::chrono::milliseconds(200)));
    const auto next = request(client, "POST", there, "x", std::chrono::milliseconds(500));
    EXPECT_TRUE(next) << next.error().message;
}

TEST_F(HttpClientTest, GivesUpAnAnswerWithAnEndlessLine) {
    RudePeer peer(
        loop_,
        [](int) {
            return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(200'000, 'x');
        },
        false);
    HttpClient client(loop_);
    const auto answer = request(client, "GET", peer.url("/"));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable) << answer.error().message;
}

TEST_F(HttpClientTest, ReadsAnAnswerThatComesByteByByte) {
    for (const std::string body : {"", "abc"}) {
        RudePeer peer(
            loop_, [](int) { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"; }, false);
        HttpClient client(loop_);
        std::optional<Result<HttpClientResponse>> answer;
        client.request("GET", peer.url("/"), {}, {}, loop_.clock().now() + kLimit,
                       [&](Result<HttpClientResponse> result) { answer = std::move(result); });
        ASSERT_TRUE(loop_.run_until([&] { return peer.requests == 1; }, kLimit));
        const std::string chunks = (body.empty() ? "" : "3\r\nabc\r\n") + std::string("0\r\n\r\n");
        for (const char& byte : chunks) {
            EXPECT_FALSE(answer);
            peer.add({&byte, 1});
            loop_.run_until([] { return false; }, std::chrono::milliseconds(2));
        }
        ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }, kLimit));
        ASSERT_TRUE(*answer) << (*answer).error().message;
        EXPECT_EQ((*answer)->body, body);
    }
}

TEST_F(HttpClientTest, ReadsBodiesWithoutALengthAndRefusesNonsense) {
    const std::pair<std::string, std::string> cases[] = {
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"},
        {"HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ""},
        {"garbage\r\n\r\n", ""},
    };
    for (const auto& [text, body] : cases) {
        RudePeer peer(loop_, [&](int) { return text; });
        HttpClient client(loop_);
        const auto answer = request(client, "GET", peer.url("/"));
        EXPECT_EQ(answer.has_value(), !body.empty()) << text;
        if (answer) EXPECT_EQ(answer->body, body);
    }
}

TEST_F(HttpClientTest, StreamsChunksAsTheyComeAndSaysHowItEnded) {
    RudePeer peer(
        loop_, [](int) { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"; },
        false);
    HttpClient client(loop_);
    std::string got;
    bool ended = false;
    auto stream = client.stream(
        "POST", peer.url("/watch"), {}, "{}", loop_.clock().now() + kLimit,
        [&](std::string_view chunk) { got += chunk; }, [&](auto) { ended = true; });
    EXPECT_TRUE(loop_.run_until([&] { return got == "abc"; }, kLimit));
    EXPECT_FALSE(ended);
    stream.reset();
    EXPECT_FALSE(loop_.run_until([&] { return ended; }, std::chrono::milliseconds(50)));

    handler_ = [](HttpRequest, auto respond) { respond({401, "who are you", "text/plain", {}}); };
    serve();
    std::optional<Result<HttpClientResponse>> end;
    stream = client.stream(
        "POST", url("/watch"), {}, "{}", loop_.clock().now() + kLimit, [](std::string_view) { FAIL(); },
        [&](auto result) { end = std::move(result); });
    ASSERT_TRUE(loop_.run_until([&] { return end.has_value(); }, kLimit));
    ASSERT_TRUE(*end);
    EXPECT_EQ((*end)->status, 401);
    EXPECT_EQ((*end)->body, "who are you");
}

TEST_F(HttpClientTest, CallsNobodyOnceItIsDestroyed) {
    handler_ = [held = std::make_shared<std::vector<std::move_only_function<void(HttpResponse)>>>()](
                   HttpRequest, auto respond) { held->push_back(std::move(respond)); };
    serve();
    int calls = 0;
    auto client = std::make_unique<HttpClient>(loop_);
    client->request("GET", url("/"), {}, {}, loop_.clock().now() + kLimit, [&](auto) { ++calls; });
    ASSERT_TRUE(loop_.run_until([&] { return requests_ == 1; }, kLimit));
    client->request("GET", url("/"), {}, {}, loop_.clock().now() + kLimit, [&](auto) { ++calls; });
    client->request("GET", "nonsense", {}, {}, loop_.clock().now() + kLimit, [&](auto) { ++calls; });
    client.reset();
    loop_.run_until([] { return false; }, std::chrono::milliseconds(50));
    EXPECT_EQ(calls, 0);
}

TEST_F(HttpClientTest, KnowsThatAHostNameDoesNotExist) {
    HttpClient client(loop_, {.connect_timeout = std::chrono::seconds(5)});
    const auto answer = request(client, "POST", "http://does-not-exist.invalid:1/", "x");
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().message.starts_with("cannot reach does-not-exist.invalid:1: "))
        << answer.error().message;
    EXPECT_FALSE(answer.error().maybe_done());
}

TEST_F(HttpClientTest, PeersAskAndPassOnTheFailsafeMessage) {
    handler_ = [](HttpRequest request, auto respond) {
        if (request.path == "/patroni")
            return respond(
                {503,
                 R"({"state":"running","role":"replica","timeline":3,"xlog":{"received_location":100,"replayed_location":90},)"
                 R"("database_system_identifier":"7","patroni":{"version":"4.1.4","scope":"demo","name":"c3"}})",
                 "application/json",
                 {}});
        if (request.path == "/failsafe" && request.body.find("\"name\":\"m1\"") != std::string::npos)
            return respond({200, "Accepted", "text/html",
                            failsafe_answer_headers({Lsn{4711}, true, {MemberName("c3"), "demo", {}}})});
        if (request.path == "/failsafe" && request.body.find("\"name\":\"m3\"") != std::string::npos)
            return respond({503, "try later", "text/html", {}});
        respond({500, "I am not sure", "text/html", {}});
    };
    serve();
    HttpPeers peers(loop_, {.username = "u", .password = "p"});
    std::optional<Result<PeerStatus>> status;
    std::optional<Result<FailsafeAnswer>> accepted, refused, broken;
    const Instant deadline = loop_.clock().now() + kLimit;
    peers.ask(url("/patroni"), deadline, [&](auto result) { status = std::move(result); });
    peers.failsafe(url("/patroni"), {MemberName("m1"), "postgres://x", "http://x", {}}, deadline,
                   [&](auto result) { accepted = std::move(result); });
    peers.failsafe(url("/patroni"), {MemberName("m2"), "postgres://x", "http://x", {}}, deadline,
                   [&](auto result) { refused = std::move(result); });
    peers.failsafe(url("/patroni"), {MemberName("m3"), "postgres://x", "http://x", {}}, deadline,
                   [&](auto result) { broken = std::move(result); });
    ASSERT_TRUE(loop_.run_until([&] { return status && accepted && refused && broken; }, kLimit));
    ASSERT_TRUE(*status) << status->error().message;
    EXPECT_EQ((*status)->position, (WalPosition{Timeline{3}, Lsn{100}}));
    EXPECT_EQ((*status)->from, (PeerIdentity{MemberName("c3"), "demo", SystemId(7)}));
    ASSERT_TRUE(*accepted) << accepted->error().message;
    EXPECT_EQ((*accepted)->position, Lsn{4711});
    EXPECT_TRUE((*accepted)->voted);
    EXPECT_EQ((*accepted)->from, (PeerIdentity{MemberName("c3"), "demo", {}}));
    ASSERT_FALSE(*refused);
    EXPECT_EQ(refused->error().code, ErrorCode::conflict) << "the agent itself says no";
    ASSERT_FALSE(*broken);
    EXPECT_EQ(broken->error().code, ErrorCode::unavailable) << "it may be anybody";
    EXPECT_EQ(last_.headers.at("authorization"), "Basic dTpw");
}

}  // namespace
}  // namespace pgherd
