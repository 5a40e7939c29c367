// The server as seen from raw sockets: what it accepts, what it refuses, and that nobody can make it wait.
#include "http_testing.h"

namespace pgherd {
namespace {

using HttpServerTest = HttpTest;

TEST_F(HttpServerTest, AnswersSeveralRequestsOverOneConnection) {
    serve();
    RawSocket socket(loop_, server_->port());
    for (int i = 0; i < 3; ++i) {
        socket.send("GET /replica?lag=10MB&tag_a%20b=x+y HTTP/1.1\r\nHost: x\r\n\r\n");
        const std::string answer = socket.receive("x y\n");
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
        EXPECT_TRUE(answer.ends_with("\r\n\r\nGET /replica lag=10MB tag_a b=x y\n")) << answer;
        EXPECT_NE(answer.find("Content-Length: 34\r\n"), std::string::npos) << answer;
    }
    EXPECT_EQ(last_.peer_address, "127.0.0.1");
    EXPECT_EQ(last_.headers.at("host"), "x");
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
    serve();
    RawSocket socket(loop_, server_->port());
    socket.send(
        "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /3 "
        "HTTP/1.1\r\nConnection: close\r\n\r\n");
    const std::string answers = socket.receive();
    EXPECT_LT(answers.find("GET /1"), answers.find("POST /2 body:hi"));
    EXPECT_LT(answers.find("POST /2"), answers.find("GET /3"));
    EXPECT_TRUE(socket.closed());
}

TEST_F(HttpServerTest, ClosesAfterAnHttp10Request) {
    serve();
    RawSocket socket(loop_, server_->port());
    socket.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(socket.receive().ends_with("GET /\n"));
    EXPECT_TRUE(socket.closed());
}

TEST_F(HttpServerTest, LeavesTheBodyOutForHeadAndOptions) {
    serve();
    RawSocket socket(loop_, server_->port());
    socket.send("HEAD /primary HTTP/1.1\r\n\r\n");
    EXPECT_NE(socket.receive("\r\n\r\n").find("Content-Length: 14\r\n"), std::string::npos);
    socket.send("OPTIONS /primary HTTP/1.1\r\n\r\n");
    EXPECT_NE(socket.receive("\r\n\r\n").find("Content-Length: 0\r\n"), std::string::npos);
    socket.send("GET /last HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(socket.receive("last\n").starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ReadsChunkedBodiesAndWaitsForContinue) {
    serve();
    RawSocket socket(loop_, server_->port());
    socket.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
    EXPECT_TRUE(socket.receive("body:abcde\n").starts_with("HTTP/1.1 200"));
    socket.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(socket.receive("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    socket.send("xyz");
    EXPECT_TRUE(socket.receive("body:xyz\n").starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ReadsABodyThatComesByteByByteOrNeverEnds) {
    serve();
    const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    RawSocket socket(loop_, server_->port());
    for (const std::string chunks : {"0\r\n\r\n", "2\r\nab\r\n0\r\n\r\n"}) {
        socket.send(head);
        for (const char byte : chunks) {
            socket.send(std::string(1, byte));
            loop_.run_until([] { return false; }, std::chrono::milliseconds(2));
        }
        EXPECT_TRUE(socket.receive("POST /").starts_with("HTTP/1.1 200"));
        socket.receive("\n");
    }
    for (const char* chunks : {"0\r\n", "0\r\n\r", "2\r\nab\r\n0\r\n"}) {
        RawSocket broken(loop_, server_->port());
        broken.send(head + chunks);
        broken.shutdown_send();
        broken.receive();
        EXPECT_TRUE(broken.closed());
    }
}

TEST_F(HttpServerTest, RefusesWhatIsNoRequest) {
    serve();
    const std::pair<std::string, int> cases[] = {
        {"nonsense\r\n\r\n", 400},
        {"GET / HTTP/9.9\r\n\r\n", 400},
        {"GET /%zz HTTP/1.1\r\n\r\n", 400},
        {"GET /%00 HTTP/1.1\r\n\r\n", 400},
        {"GET relative HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413},
        {"GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
        {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), 400},
    };
    for (const auto& [text, status] : cases) {
        RawSocket socket(loop_, server_->port());
        socket.send(text);
        const std::string answer = socket.receive("\r\n\r\n");
        EXPECT_TRUE(answer.starts_with(fmt::format("HTTP/1.1 {} ", status))) << text.substr(0, 60) << "\n"
                                                                             << answer;
        EXPECT_NE(answer.find("Connection: close"), std::string::npos);
    }
    EXPECT_EQ(requests_, 0);
}

TEST_F(HttpServerTest, TellsSoWhenABodyIsTooBigThoughTheClientSendsItAnyway) {
    serve();
    RawSocket socket(loop_, server_->port());
    socket.send("POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + std::string(3'000'000, 'x'));
    EXPECT_TRUE(socket.receive().starts_with("HTTP/1.1 413 "));
    RawSocket fits(loop_, server_->port());
    fits.send("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + std::string(1'000'000, 'x'));
    EXPECT_TRUE(fits.receive("body:big\n").starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, EndsConnectionsThatAreIdleOrTooSlow) {
    serve(
        {.idle_timeout = std::chrono::milliseconds(2500), .request_timeout = std::chrono::milliseconds(300)});
    RawSocket idle(loop_, server_->port());
    RawSocket slow(loop_, server_->port());
    slow.send("GET / HT");
    EXPECT_EQ(slow.receive(), "");
    EXPECT_TRUE(slow.closed());
    EXPECT_TRUE(loop_.run_until([&] { return server_->connections() == 1; }, kLimit));
    EXPECT_EQ(idle.receive(), "");
    EXPECT_TRUE(idle.closed());
}

TEST_F(HttpServerTest, AnswersLaterAndSurvivesClientsThatHaveGone) {
    std::vector<std::move_only_function<void(HttpResponse)>> pending;
    handler_ = [&](HttpRequest, auto respond) { pending.push_back(std::move(respond)); };
    serve(
        {.idle_timeout = std::chrono::milliseconds(100), .request_timeout = std::chrono::milliseconds(100)});
    RawSocket patient(loop_, server_->port());
    patient.send("GET /switchover HTTP/1.1\r\n\r\n");
    {
        RawSocket gone(loop_, server_->port());
        gone.send("GET /switchover HTTP/1.1\r\n\r\n");
        ASSERT_TRUE(loop_.run_until([&] { return pending.size() == 2; }, kLimit));
    }
    EXPECT_EQ(patient.receive({}, std::chrono::milliseconds(1500)), "")
        << "a slow handler is no reason to close";
    for (auto& respond : pending)
        respond({202, "done\n", "text/plain", {{"X-A", "b"}, {"X-Bad", "c\r\nX-Injected: d"}}});
    const std::string answer = patient.receive("done\n");
    EXPECT_NE(answer.find("\r\nX-A: b\r\n"), std::string::npos);
    EXPECT_EQ(answer.find("Injected"), std::string::npos);
    EXPECT_TRUE(loop_.run_until([&] { return server_->connections() <= 1; }, kLimit));
}

TEST_F(HttpServerTest, AnswersThatNobodyGivesAre500) {
    handler_ = [](HttpRequest, auto) {};
    serve();
    RawSocket socket(loop_, server_->port());
    socket.send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(socket.receive("\r\n\r\n").starts_with("HTTP/1.1 500 "));
}

TEST_F(HttpServerTest, CanBeDestroyedWithRequestsUnderWay) {
    std::vector<std::move_only_function<void(HttpResponse)>> pending;
    handler_ = [&](HttpRequest, auto respond) { pending.push_back(std::move(respond)); };
    serve();
    RawSocket asking(loop_, server_->port());
    RawSocket idle(loop_, server_->port());
    asking.send("GET / HTTP/1.1\r\n\r\n");
    ASSERT_TRUE(loop_.run_until([&] { return pending.size() == 1 && server_->connections() == 2; }, kLimit));
    server_.reset();
    asking.receive();
    idle.receive();
    EXPECT_TRUE(asking.closed() && idle.closed());
    pending[0]({});
}

TEST_F(HttpServerTest, SaysWhyItCannotListen) {
    serve();
    const auto again = HttpServer::listen(loop_, {.listen = {"127.0.0.1", server_->port()}}, HttpHandler{});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().message,
              fmt::format("cannot listen on 127.0.0.1:{}: Address already in use", server_->port()));
    EXPECT_FALSE(HttpServer::listen(loop_, {.listen = {"no such host", 0}}, HttpHandler{}));
}

TEST_F(HttpServerTest, ListensOnAllAddressesAndOnIpv6) {
    for (const std::string host : {"*", "", "::1", "0.0.0.0", "localhost"}) {
        auto server = HttpServer::listen(loop_, {.listen = {host, 0}}, [](HttpRequest request, auto respond) {
            respond({200, request.peer_address, "text/plain", {}});
        });
        if (!server && host == "::1") continue;  // a machine without IPv6
        ASSERT_TRUE(server) << host << ": " << server.error().message;
        HttpClient client(loop_);
        const auto answer =
            request(client, "GET",
                    fmt::format("http://{}:{}/", host == "::1" ? "[::1]" : "127.0.0.1", (*server)->port()));
        ASSERT_TRUE(answer) << host << ": " << answer.error().message;
        EXPECT_EQ(answer->body, host == "::1" ? "::1" : "127.0.0.1");
    }
}

TEST_F(HttpServerTest, MakesRoomForTheNewestByClosingTheLongestIdle) {
    serve({.max_connections = 2});
    RawSocket first(loop_, server_->port());
    RawSocket second(loop_, server_->port());
    ASSERT_TRUE(loop_.run_until([&] { return server_->connections() == 2; }, kLimit));
    first.send("GET /1 HTTP/1.1\r\n\r\n");
    first.receive("/1\n");
    RawSocket third(loop_, server_->port());
    third.send("GET /3 HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(third.receive("/3\n").starts_with("HTTP/1.1 200"));
    EXPECT_EQ(second.receive(), "");
    EXPECT_TRUE(second.closed());
    first.send("GET /1 HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(first.receive("/1\n").starts_with("HTTP/1.1 200"));
}

}  // namespace
}  // namespace pgherd
