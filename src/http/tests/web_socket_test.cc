// Websockets: both ends of our own, and the frames that others send.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "eventloop/spawn.h"
#include "http_testing.h"

namespace pgherd {
namespace {

namespace asio = boost::asio;

class WebSocketTest : public HttpTest {
  public:
    // Sends every message back, until the peer has had enough.
    void serve_echo(HttpServerOptions options = {}) {
        options.listen = {"127.0.0.1", 0};
        auto server = HttpServer::listen(loop_, std::move(options),
                                         [this](auto exchange) { return echo_messages(exchange); });
        ASSERT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
    }
    asio::awaitable<void> echo_messages(std::shared_ptr<ServerExchange> exchange) {
        auto socket = co_await exchange->upgrade({.max_message = 100'000});
        if (!socket) {
            co_await exchange->answer({400, "not a websocket\n", "text/plain", {}});
            co_return;
        }
        while (true) {
            const auto message = co_await (*socket)->read();
            if (!message) {
                end_ = message.error();
                break;
            }
            if (message->text)
                co_await (*socket)->write_text(message->data);
            else
                co_await (*socket)->write_binary(message->data);
        }
    }
    void run(asio::awaitable<void> work) {
        bool done = false;
        asio::co_spawn(loop_.context(), std::move(work), [&](std::exception_ptr error) {
            done = true;
            EXPECT_FALSE(error);
        });
        EXPECT_TRUE(loop_.run_until([&] { return done; }, 2 * kLimit));
    }
    asio::awaitable<Result<WebSocketAnswer>> open(std::string path = "/") {
        return open_web_socket(loop_, {}, url(path), {}, loop_.clock().now() + kLimit);
    }
    std::optional<Error> end_;
};

TEST_F(WebSocketTest, CarriesTextAndBytesBothWays) {
    serve_echo();
    run([](WebSocketTest& test) -> asio::awaitable<void> {
        auto answer = co_await test.open();
        EXPECT_TRUE(answer && answer->socket);
        if (!answer || !answer->socket) co_return;
        auto& socket = *answer->socket;
        const std::string bytes("\0\xff\x01 and more", 12);
        co_await socket.write_binary(bytes);
        auto message = co_await socket.read();
        EXPECT_TRUE(message && !message->text && message->data == bytes);
        const std::string big(99'999, 'b');
        co_await socket.write_text(big);
        message = co_await socket.read();
        EXPECT_TRUE(message && message->text && message->data == big);
        co_await socket.close();
    }(*this));
    EXPECT_TRUE(loop_.run_until([&] { return end_.has_value(); }, kLimit));
    EXPECT_EQ(end_->code, ErrorCode::cancelled);
    EXPECT_TRUE(loop_.run_until([&] { return server_->connections() == 0; }, kLimit));
}

TEST_F(WebSocketTest, EndsAMessageBeyondTheBound) {
    serve_echo();
    run([](WebSocketTest& test) -> asio::awaitable<void> {
        auto answer = co_await test.open();
        const std::string big(100'001, 'b');
        co_await answer->socket->write_binary(big);
        EXPECT_FALSE(co_await answer->socket->read());
    }(*this));
    EXPECT_TRUE(loop_.run_until([&] { return end_.has_value(); }, kLimit));
    EXPECT_EQ(end_->code, ErrorCode::invalid);
}

TEST_F(WebSocketTest, NoticesAPeerThatVanishes) {
    serve_echo();
    run([](WebSocketTest& test) -> asio::awaitable<void> {
        auto answer = co_await test.open();
        answer->socket.reset();
    }(*this));
    EXPECT_TRUE(loop_.run_until([&] { return end_.has_value(); }, kLimit));
    EXPECT_EQ(end_->code, ErrorCode::unavailable);
}

TEST_F(WebSocketTest, GivesTheAnswerOfAServerThatWantsNoWebSocket) {
    handler_ = [](HttpRequest, auto respond) { respond({404, "nothing here\n", "text/plain", {}}); };
    serve();
    run([](WebSocketTest& test) -> asio::awaitable<void> {
        auto answer = co_await test.open();
        EXPECT_TRUE(answer.has_value());
        if (!answer) co_return;
        EXPECT_FALSE(answer->socket);
        EXPECT_EQ(answer->refusal.status, 404);
        EXPECT_EQ(answer->refusal.body, "nothing here\n");
    }(*this));
}

TEST_F(WebSocketTest, AnswersPlainRequestsWhereAWebSocketIsMeant) {
    serve_echo();
    HttpClient client(loop_);
    EXPECT_EQ(request(client, "GET", url("/"))->status, 400);
}

TEST_F(WebSocketTest, OutlivesTheHandlerAndEndsWithTheServer) {
    std::unique_ptr<WebSocket> kept;
    auto server = HttpServer::listen(loop_, {.listen = {"127.0.0.1", 0}},
                                     [&](std::shared_ptr<ServerExchange> exchange) -> asio::awaitable<void> {
                                         auto socket = co_await exchange->upgrade();
                                         if (socket) kept = std::move(*socket);
                                     });
    ASSERT_TRUE(server);
    server_ = std::move(*server);
    bool ended = false;
    spawn(loop_, [](WebSocketTest& test, bool& over) -> asio::awaitable<void> {
        auto answer = co_await test.open();
        const auto message = co_await answer->socket->read();
        EXPECT_TRUE(message && message->data == "hello");
        EXPECT_FALSE(co_await answer->socket->read());
        over = true;
    }(*this, ended));
    ASSERT_TRUE(loop_.run_until([&] { return kept != nullptr; }, kLimit));
    run([](WebSocket& socket) -> asio::awaitable<void> { co_await socket.write_text("hello"); }(*kept));
    server_.reset();
    EXPECT_TRUE(loop_.run_until([&] { return ended; }, kLimit));
}

}  // namespace
}  // namespace pgherd
