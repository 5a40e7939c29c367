// Commands over real websockets: their streams, their end, and clients that do not behave.
#include "supervisor/exec_session.h"

#include <csignal>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/stat.h>

#include "eventloop/spawn.h"
#include "http/server.h"
#include "io_testing.h"

namespace pgherd::supervisor {
namespace {

namespace asio = boost::asio;

// A client's end of one websocket: what came, and what is to be sent.
struct Client {
    std::unique_ptr<WebSocket> socket;
    std::string received;
    bool ended = false;  // {"command":"end"}
    bool closed = false;
};

class ExecSessionTest : public LoopTest {
  protected:
    ExecSessionTest() {
        auto server = HttpServer::listen(loop_, {.unix_socket = dir_.file("socket")},
                                         [this](auto exchange) { return attach(exchange); });
        EXPECT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
    }
    ~ExecSessionTest() override {
        if (session_) session_->abort("the test ends");
        wait_for([&] { return !session_ || end_; });
    }
    asio::awaitable<void> attach(std::shared_ptr<ServerExchange> exchange) {
        const std::string path = exchange->request().path;
        const ExecSocket which = path == "/control"  ? ExecSocket::control
                                 : path == "/stderr" ? ExecSocket::stderr_only
                                                     : ExecSocket::stdio;
        EXPECT_TRUE(session_->reserve(which));
        auto socket = co_await exchange->upgrade();
        session_->attach(which, socket ? std::move(*socket) : nullptr);
    }
    void start(std::string script, ExecOrder order = {}) {
        order.id = "7";
        order.spawn.command = {"/bin/sh", "-c", std::move(script)};
        order.spawn.environment = {{"PATH", "/usr/bin:/bin"}, {"HERE", dir_.path()}};
        end_.reset();
        session_ = std::make_shared<ExecSession>(loop_, processes_, std::move(order),
                                                 [this](ExecEnd end) { end_ = std::move(end); });
        session_->start();
    }
    void connect(Client& client, const std::string& path, bool reading = true) {
        spawn(
            loop_,
            [](ExecSessionTest& test, Client& into, std::string where, bool reads) -> asio::awaitable<void> {
                auto answer =
                    co_await open_web_socket(test.loop_, test.dir_.file("socket"), "http://localhost" + where,
                                             {}, test.loop_.clock().now() + kLimit);
                EXPECT_TRUE(answer && answer->socket);
                if (!answer || !answer->socket) co_return;
                into.socket = std::move(answer->socket);
                while (reads) {
                    const auto message = co_await into.socket->read();
                    if (!message) break;
                    if (message->text)
                        into.ended = message->data == R"({"command":"end"})";
                    else
                        into.received += message->data;
                }
                into.closed = true;
            }(*this, client, path, reading));
        EXPECT_TRUE(wait_for([&] { return client.socket != nullptr; }));
    }
    void send(Client& client, std::string data, bool as_text = false) {
        bool sent = false;
        spawn(loop_,
              [](WebSocket& socket, std::string bytes, bool text, bool& done) -> asio::awaitable<void> {
                  (void)co_await (text ? socket.write_text(bytes) : socket.write_binary(bytes));
                  done = true;
              }(*client.socket, std::move(data), as_text, sent));
        EXPECT_TRUE(wait_for([&] { return sent; }));
    }
    bool finished() {
        return wait_for([&] { return end_.has_value(); });
    }

    TempDir dir_;
    Processes processes_{loop_};
    std::unique_ptr<HttpServer> server_;
    std::shared_ptr<ExecSession> session_;
    std::optional<ExecEnd> end_;
};

TEST_F(ExecSessionTest, CarriesStreamsAndTheExitCode) {
    start("echo out; echo err >&2; cat; exit 5", {.split_stderr = true});
    Client control, stdio, error;
    connect(control, "/control");
    connect(stdio, "/stdio");
    connect(error, "/stderr");
    const std::string bytes("\0\xff\n binary", 10);
    send(stdio, bytes);
    send(stdio, R"({"command":"end"})", true);
    ASSERT_TRUE(finished());
    EXPECT_EQ(end_->code, 5);
    EXPECT_EQ(end_->error, "");
    EXPECT_TRUE(wait_for([&] { return stdio.closed && error.closed && control.closed; }));
    EXPECT_EQ(stdio.received, "out\n" + bytes);
    EXPECT_EQ(error.received, "err\n");
    EXPECT_TRUE(stdio.ended && error.ended);
}

TEST_F(ExecSessionTest, CarriesMegabytesBothWays) {
    start("cat", {});
    Client stdio;
    connect(stdio, "/stdio");
    std::string content;
    for (long i = 0; content.size() < 5'000'000; ++i) content += fmt::format("{:x}", i * 7919);
    for (std::size_t at = 0; at < content.size(); at += 60'000) send(stdio, content.substr(at, 60'000));
    send(stdio, R"({"command":"end"})", true);
    ASSERT_TRUE(finished());
    EXPECT_TRUE(wait_for([&] { return stdio.closed; }));
    EXPECT_EQ(stdio.received, content);
}

TEST_F(ExecSessionTest, SendsAllOutputToAClientThatIsSlow) {
    start("seq 500000; echo end", {});
    Client stdio;
    connect(stdio, "/stdio", false);
    loop_.run_until([] { return false; }, std::chrono::milliseconds(600));
    EXPECT_FALSE(end_);
    spawn(loop_, [](Client& client) -> asio::awaitable<void> {
        while (true) {
            const auto message = co_await client.socket->read();
            if (!message) break;
            if (!message->text) client.received += message->data;
        }
    }(stdio));
    ASSERT_TRUE(finished());
    EXPECT_TRUE(wait_for([&] { return stdio.received.ends_with("500000\nend\n"); }));
}

TEST_F(ExecSessionTest, FailsWhenNobodyAttaches) {
    start("touch $HERE/ran", {.connect_limit = std::chrono::milliseconds(100)});
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->error, "exec 7: timeout waiting for websocket connections: context deadline exceeded");
    EXPECT_FALSE(std::filesystem::exists(dir_.file("ran")));
}

TEST_F(ExecSessionTest, EndsTheWholeTreeWhenItsTimeIsOver) {
    start("(setsid sh -c 'echo $$ > $HERE/pid; exec sleep 1000' &); sleep 1000",
          {.timeout = std::chrono::milliseconds(500)});
    Client stdio;
    connect(stdio, "/stdio");
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->error, "timed out after 500ms: context deadline exceeded");
    EXPECT_EQ(end_->code, -1);
    const int pid = std::stoi(content_of(dir_.file("pid")));
    EXPECT_TRUE(wait_for([&] { return ::kill(pid, 0) != 0; }));
}

TEST_F(ExecSessionTest, DoesNotWaitForADaemonThatKeepsTheOutput) {
    start("sleep 3 & echo done", {});
    Client stdio;
    connect(stdio, "/stdio");
    const Instant begin = loop_.clock().now();
    EXPECT_TRUE(finished());
    EXPECT_LT(loop_.clock().now() - begin, std::chrono::seconds(2));
    EXPECT_EQ(end_->code, 0);
    EXPECT_EQ(stdio.received, "done\n");
}

TEST_F(ExecSessionTest, EndsTheCommandWhenTheClientVanishes) {
    start("trap '' HUP; echo $$ > $HERE/pid; sleep 1000", {});
    Client control, stdio;
    connect(control, "/control");
    connect(stdio, "/stdio");
    EXPECT_TRUE(wait_for([&] { return content_of(dir_.file("pid")).ends_with('\n'); }));
    control.socket->abort();
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->error, "the client has gone");
}

TEST_F(ExecSessionTest, PassesSignalsOnAndIgnoresNonsense) {
    start("trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.01; done", {});
    Client control, stdio;
    connect(control, "/control");
    connect(stdio, "/stdio");
    EXPECT_TRUE(wait_for([&] { return stdio.received == "ready\n"; }));
    for (const char* nonsense : {"no json", "[]", "{}", R"({"command":7})", R"({"command":"signal"})",
                                 R"({"command":"signal","signal":{"name":"SIGNO"}})",
                                 R"({"command":"resize","resize":{"width":-1,"height":5}})"})
        send(control, nonsense, true);
    send(control, R"({"command":"signal","signal":{"name":"SIGUSR1"}})", true);
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->code, 3);
    EXPECT_TRUE(wait_for([&] { return stdio.received == "ready\ngot it\n"; }));
}

TEST_F(ExecSessionTest, KeepsASignalThatComesBeforeTheCommandRuns) {
    start("sleep 1000", {});
    Client control, stdio;
    connect(control, "/control");
    send(control, R"({"command":"signal","signal":{"name":"SIGTERM"}})", true);
    loop_.run_until([] { return false; }, std::chrono::milliseconds(20));
    connect(stdio, "/stdio");
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->code, 128 + SIGTERM);
}

TEST_F(ExecSessionTest, GivesATerminalItsSizeAndItsInput) {
    start("stty size; read x; echo got $x; stty size; cat; echo over",
          {.terminal = true, .interactive = true, .width = 100, .height = 40});
    Client control, stdio;
    connect(control, "/control");
    connect(stdio, "/stdio");
    EXPECT_TRUE(wait_for([&] { return stdio.received == "40 100\r\n"; }));
    send(control, R"({"command":"resize","resize":{"width":120,"height":50}})", true);
    loop_.run_until([] { return false; }, std::chrono::milliseconds(20));
    send(stdio, "typed\n");
    EXPECT_TRUE(wait_for([&] { return stdio.received.ends_with("got typed\r\n50 120\r\n"); }))
        << stdio.received;
    send(stdio, R"({"command":"end"})", true);
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->code, 0);
    EXPECT_TRUE(wait_for([&] { return stdio.received.ends_with("over\r\n"); })) << stdio.received;
}

TEST_F(ExecSessionTest, TellsThatACommandCannotStart) {
    ExecOrder order;
    order.spawn.working_dir = dir_.file("none");
    start("true", std::move(order));
    Client stdio;
    connect(stdio, "/stdio");
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->error, fmt::format("chdir {}: no such file or directory", dir_.file("none")));
}

TEST_F(ExecSessionTest, CanBeAbortedBeforeAndWhileItRuns) {
    start("true", {});
    session_->abort("aborted");
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->error, "aborted");
    start("sleep 1000", {});
    Client stdio;
    connect(stdio, "/stdio");
    session_->abort("aborted");
    EXPECT_TRUE(finished());
    EXPECT_EQ(end_->error, "aborted");
}

TEST_F(ExecSessionTest, LeavesNoDescriptorsBehind) {
    const auto descriptors = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                             std::filesystem::directory_iterator());
    };
    std::ptrdiff_t before = 0;
    for (int i = 0; i < 20; ++i) {
        start("true", {.split_stderr = true});
        {
            Client control, stdio, error;
            connect(control, "/control");
            connect(stdio, "/stdio");
            connect(error, "/stderr");
            ASSERT_TRUE(finished());
            EXPECT_TRUE(wait_for([&] { return stdio.closed && error.closed && control.closed; }));
        }
        EXPECT_TRUE(wait_for([&] { return server_->connections() == 0; }));
        if (i == 0) before = descriptors();
    }
    EXPECT_LE(descriptors(), before);
}

}  // namespace
}  // namespace pgherd::supervisor
