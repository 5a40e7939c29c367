// Bodies that are too long for memory, answers that last, clients that go away, and unix sockets.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <malloc.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "eventloop/wakeup.h"
#include "http_testing.h"

namespace pgherd {
namespace {

namespace asio = boost::asio;
using ExchangePointer = std::shared_ptr<ServerExchange>;

class StreamingTest : public HttpTest {
  protected:
    void serve_exchanges(ServerExchangeHandler handler, HttpServerOptions options = {}) {
        if (options.unix_socket.empty()) options.listen = {"127.0.0.1", 0};
        auto server = HttpServer::listen(loop_, std::move(options), std::move(handler));
        ASSERT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
    }
    TempDir dir_;
};

asio::awaitable<void> count_body(ExchangePointer exchange) {
    std::size_t total = 0;
    std::size_t biggest = 0;
    while (true) {
        const auto piece = co_await exchange->read();
        if (!piece) co_return;
        if (piece->empty()) break;
        total += piece->size();
        biggest = std::max(biggest, piece->size());
    }
    co_await exchange->answer(
        {200, fmt::format("{} bytes, small pieces: {}\n", total, biggest <= 65536), "text/plain", {}});
}

TEST_F(StreamingTest, ReadsABodyOfAnySizeInSmallPieces) {
    serve_exchanges(count_body);
    RawSocket socket(loop_, server_->port());
    socket.send("POST / HTTP/1.1\r\nContent-Length: 5000000\r\n\r\n" + std::string(5'000'000, 'x'));
    EXPECT_TRUE(socket.receive("true\n").ends_with("\r\n\r\n5000000 bytes, small pieces: true\n"));
    std::string chunks;
    for (int i = 0; i < 30; ++i) chunks += "186a0\r\n" + std::string(100'000, 'y') + "\r\n";
    socket.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n");
    EXPECT_TRUE(socket.receive("true\n").ends_with("3000000 bytes, small pieces: true\n"));
}

TEST_F(StreamingTest, DoesNotReadAheadOfTheHandler) {
    Wakeup go(loop_.context().get_executor());
    serve_exchanges([&](ExchangePointer exchange) -> asio::awaitable<void> {
        co_await go.wait();
        co_await count_body(exchange);
    });
    RawSocket socket(loop_, server_->port());
    std::size_t taken = 0;
    const std::string head = "POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n";
    socket.send(head);
    const std::string megabyte(1'000'000, 'x');
    while (true) {
        const std::size_t sent = socket.try_send(megabyte, std::chrono::milliseconds(200));
        taken += sent;
        if (sent < megabyte.size() || taken >= 100'000'000) break;
    }
    EXPECT_LT(taken, 30'000'000u) << "what the kernel holds, no more";
    go.notify();
    while (taken < 100'000'000)
        taken += socket.try_send(
            std::string_view(megabyte).substr(0, std::min<std::size_t>(1'000'000, 100'000'000 - taken)),
            kLimit);
    EXPECT_TRUE(socket.receive("true\n").ends_with("100000000 bytes, small pieces: true\n"));
}

TEST_F(StreamingTest, SendsAnAnswerInPiecesAndKeepsTheConnection) {
    serve_exchanges([](ExchangePointer exchange) -> asio::awaitable<void> {
        co_await exchange->begin({200, {}, "text/plain", {}});
        for (int i = 0; i < 3; ++i) co_await exchange->write(fmt::format("piece {}\n", i));
        co_await exchange->finish();
    });
    HttpClient client(loop_);
    for (int i = 0; i < 2; ++i) {
        const auto answer = request(client, "GET", url("/"));
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->body, "piece 0\npiece 1\npiece 2\n");
        EXPECT_EQ(answer->headers.at("transfer-encoding"), "chunked");
    }
    EXPECT_EQ(server_->connections(), 1u);
    RawSocket old(loop_, server_->port());
    old.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(old.receive().ends_with("\r\n\r\npiece 0\npiece 1\npiece 2\n"));
}

TEST_F(StreamingTest, WaitsForAClientThatTakesItsAnswerSlowly) {
    std::size_t written = 0;
    serve_exchanges([&](ExchangePointer exchange) -> asio::awaitable<void> {
        exchange->lift_time_limits();
        co_await exchange->begin({200, {}, "text/plain", {}});
        const std::string piece(100'000, 'x');
        while (co_await exchange->write(piece)) written += piece.size();
    });
    {
        RawSocket socket(loop_, server_->port());
        socket.send("GET / HTTP/1.1\r\n\r\n");
        std::size_t before = 1;
        loop_.run_until([&] { return std::exchange(before, written) == written && written > 0; }, kLimit);
        loop_.run_until([] { return false; }, std::chrono::milliseconds(300));
        EXPECT_LT(written, 30'000'000u);
    }
    EXPECT_TRUE(loop_.run_until([&] { return server_->connections() == 0; }, kLimit));
}

TEST_F(StreamingTest, TellsTheHandlerThatTheClientHasGone) {
    const std::string path = dir_.file("socket");
    for (const std::string& unix_socket : {std::string(), path}) {
        int gone = 0;
        int begun = 0;
        serve_exchanges(
            [&](ExchangePointer exchange) -> asio::awaitable<void> {
                Wakeup wakeup(loop_.context().get_executor());
                ++begun;
                exchange->on_gone([&] { wakeup.notify(); });
                while (!exchange->gone()) co_await wakeup.wait();
                ++gone;
            },
            {.unix_socket = unix_socket});
        {
            RawSocket socket =
                unix_socket.empty() ? RawSocket(loop_, server_->port()) : RawSocket(loop_, path);
            socket.send("GET / HTTP/1.1\r\n\r\n");
            EXPECT_TRUE(loop_.run_until([&] { return begun == 1; }, kLimit));
            EXPECT_EQ(gone, 0);
        }
        EXPECT_TRUE(loop_.run_until([&] { return gone == 1; }, kLimit));
        RawSocket other = unix_socket.empty() ? RawSocket(loop_, server_->port()) : RawSocket(loop_, path);
        other.send("GET / HTTP/1.1\r\n\r\n");
        EXPECT_TRUE(loop_.run_until([&] { return begun == 2; }, kLimit));
        server_.reset();
        EXPECT_TRUE(loop_.run_until([&] { return gone == 2; }, kLimit)) << "the server's end counts as well";
    }
}

TEST_F(StreamingTest, AnswersAClientOnAUnixSocketThatHasSaidAllItWillSay) {
    const std::string path = dir_.file("socket");
    std::move_only_function<void(HttpResponse)> later;
    handler_ = [&](HttpRequest, auto respond) { later = std::move(respond); };
    serve({.unix_socket = path});
    RawSocket socket(loop_, path);
    socket.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    socket.shutdown_send();
    EXPECT_TRUE(loop_.run_until([&] { return later != nullptr; }, kLimit));
    loop_.run_until([] { return false; }, std::chrono::milliseconds(50));
    later({200, "late\n", "text/plain", {}});
    EXPECT_TRUE(socket.receive().ends_with("late\n"));
}

TEST_F(StreamingTest, RefusesABodyThatIsTooLargeForItsHandler) {
    serve_exchanges([](ExchangePointer exchange) -> asio::awaitable<void> {
        const auto body = co_await exchange->read_all(1000);
        if (body) co_await exchange->answer({200, fmt::format("{}\n", body->size()), "text/plain", {}});
    });
    const auto ask = [&](const std::string& request, std::string_view end = {}) {
        RawSocket socket(loop_, server_->port());
        socket.send(request);
        return socket.receive(end);
    };
    EXPECT_TRUE(ask("POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'), "\n1000\n")
                    .ends_with("\n1000\n"));
    EXPECT_TRUE(ask("POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + std::string(3'000'000, 'x'))
                    .starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(ask("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') +
                    "\r\n0\r\n\r\n")
                    .starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(
        ask("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").starts_with("HTTP/1.1 400 "));
}

TEST_F(StreamingTest, RefusesEndlessLinesBetweenChunks) {
    serve_exchanges(count_body);
    const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
    std::string trailer = "0\r\n";
    for (int i = 0; i < 10'000; ++i) trailer += "a: b\r\n";
    for (const std::string& rest : {"1;" + std::string(60'000, 'x'), trailer}) {
        RawSocket socket(loop_, server_->port());
        socket.send(head + rest);
        EXPECT_TRUE(socket.receive("\r\n\r\n").starts_with("HTTP/1.1 431 "));
    }
}

TEST_F(StreamingTest, DoesNotWaitForEverForTheRestOfABodyThatIsAnswered) {
    serve_exchanges(
        [](ExchangePointer exchange) -> asio::awaitable<void> {
            co_await exchange->read();
            co_await exchange->answer({400, "no\n", "text/plain", {}});
        },
        {.request_timeout = std::chrono::milliseconds(300)});
    RawSocket socket(loop_, server_->port());
    socket.send("POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + std::string(10, 'x'));
    EXPECT_TRUE(socket.receive("no\n").starts_with("HTTP/1.1 400 "));
    socket.receive();
    EXPECT_TRUE(socket.closed());
}

TEST_F(StreamingTest, GivesAnEarlyAnswerToAClientThatIsStillSending) {
    serve_exchanges([](ExchangePointer exchange) -> asio::awaitable<void> {
        co_await exchange->answer({401, "no\n", "text/plain", {}});
    });
    RawSocket socket(loop_, server_->port());
    socket.send("POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n" + std::string(20'000'000, 'x'));
    EXPECT_TRUE(socket.receive().ends_with("\r\n\r\nno\n"));
}

TEST_F(StreamingTest, SurvivesHandlersThatThrowOrForgetToAnswer) {
    serve_exchanges([](ExchangePointer exchange) -> asio::awaitable<void> {
        if (exchange->request().path == "/throw") throw std::runtime_error("broken");
        if (exchange->request().path == "/cut") co_await exchange->begin({200, {}, "text/plain", {}});
        co_return;
    });
    HttpClient client(loop_);
    EXPECT_EQ(request(client, "GET", url("/throw"))->status, 500);
    EXPECT_EQ(request(client, "GET", url("/forget"))->status, 500);
    EXPECT_FALSE(request(client, "GET", url("/cut")));
}

TEST_F(StreamingTest, UploadsABodyThatIsMadeOnTheWay) {
    serve_exchanges(count_body);
    HttpClient client(loop_);
    int pieces = 0;
    std::optional<Result<HttpClientResponse>> answer;
    client.upload(
        "POST", url("/"), {},
        [&]() -> Result<std::string> { return ++pieces <= 40 ? std::string(50'000, 'x') : std::string(); },
        loop_.clock().now() + kLimit, [&](auto result) { answer = std::move(result); });
    ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }, kLimit));
    ASSERT_TRUE(*answer) << answer->error().message;
    EXPECT_EQ((*answer)->body, "2000000 bytes, small pieces: true\n");
}

TEST_F(StreamingTest, EndsAnUploadWhenTheServerHasAnswered) {
    serve_exchanges([](ExchangePointer exchange) -> asio::awaitable<void> {
        co_await exchange->answer({401, "no\n", "text/plain", {}});
    });
    HttpClient client(loop_);
    std::optional<Result<HttpClientResponse>> answer;
    client.upload(
        "POST", url("/"), {}, []() -> Result<std::string> { return std::string(50'000, 'x'); },
        loop_.clock().now() + kLimit, [&](auto result) { answer = std::move(result); });
    ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }, kLimit));
    ASSERT_TRUE(*answer) << answer->error().message;
    EXPECT_EQ((*answer)->status, 401);
}

using UnixSocketTest = StreamingTest;

TEST_F(UnixSocketTest, ServesClientsAndKnowsWhoTheyAre) {
    const std::string path = dir_.file("socket");
    serve({.unix_socket = path});
    HttpClient client(loop_, {.unix_socket = path});
    const auto answer = request(client, "POST", "http://localhost/v1/x?y=z", "hello");
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "POST /v1/x y=z body:hello\n");
    ASSERT_TRUE(last_.peer_process);
    EXPECT_EQ(last_.peer_process->uid, ::getuid());
    EXPECT_EQ(last_.peer_process->pid, ::getpid());
    EXPECT_EQ(last_.headers.at("host"), "localhost");
    struct stat there{};
    ASSERT_EQ(::stat(path.c_str(), &there), 0);
    EXPECT_EQ(there.st_mode & 07777, 0666u);
    server_.reset();
    EXPECT_NE(::stat(path.c_str(), &there), 0) << "the socket goes with the server";
}

TEST_F(UnixSocketTest, KeepsNothingOfRequestsThatAreAnswered) {
    const std::string path = dir_.file("socket");
    handler_ = [&](HttpRequest, auto respond) {
        loop_.post([respond = std::move(respond)]() mutable { respond({200, "later\n", "text/plain", {}}); });
    };
    serve({.unix_socket = path});
    HttpClient client(loop_, {.unix_socket = path});
    const auto ask = [&](int times) {
        for (int i = 0; i < times; ++i) ASSERT_TRUE(request(client, "GET", "http://localhost/"));
    };
    ask(100);
    const std::size_t before = ::mallinfo2().uordblks;
    ask(1000);
    EXPECT_EQ(server_->connections(), 1U);
    EXPECT_LT(::mallinfo2().uordblks, before + 200'000);
}

TEST_F(UnixSocketTest, TakesTheplaceOfADeadServerButNotOfALivingOne) {
    const std::string path = dir_.file("socket");
    serve({.unix_socket = path, .socket_mode = 0600});
    const auto second =
        HttpServer::listen(loop_, {.unix_socket = path}, HttpHandler([](HttpRequest, auto) {}));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::conflict);
    EXPECT_NE(second.error().message.find("socket \"" + path + "\" already in use"), std::string::npos);

    server_.reset();
    const int left_behind = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(left_behind, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(left_behind);
    serve({.unix_socket = path});
    HttpClient client(loop_, {.unix_socket = path});
    EXPECT_TRUE(request(client, "GET", "http://localhost/"));
}

TEST_F(UnixSocketTest, LeavesAFileAloneThatIsNoSocket) {
    const std::string path = dir_.file("file");
    std::fclose(std::fopen(path.c_str(), "w"));
    EXPECT_FALSE(HttpServer::listen(loop_, {.unix_socket = path}, HttpHandler([](HttpRequest, auto) {})));
    EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(UnixSocketTest, NamesTheSocketThatIsNotThere) {
    HttpClient client(loop_, {.unix_socket = dir_.file("none")});
    const auto answer = request(client, "GET", "http://localhost/");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
    EXPECT_NE(answer.error().message.find(dir_.file("none")), std::string::npos) << answer.error().message;
}

}  // namespace
}  // namespace pgherd
