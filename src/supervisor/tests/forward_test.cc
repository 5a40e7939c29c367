// Log lines on their way to targets: their forms, and real receivers that refuse, vanish and come back.
#include "supervisor/forward.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "http/server.h"
#include "io_testing.h"

namespace pgherd::supervisor {
namespace {

const WallTime kTime{std::chrono::microseconds(1'795'246'000'228'999)};

TEST(ForwardFormat, PutsTheEnvironmentIntoLabels) {
    const LogLabels environment{{"A", "x"}, {"B_2", "y z"}};
    EXPECT_EQ(expand_label("$A-${B_2}-$NONE-${NONE}-$", environment), "x-y z---$");
    EXPECT_EQ(expand_label("$A$A ${A ${} $$A", environment), "xx ${A ${} $x");
    EXPECT_EQ(expand_label("", environment), "");
}

TEST(ForwardFormat, MakesWhatEachTargetTakes) {
    const std::vector<ForwardedLine> lines = {
        {"a", kTime, "one \"1\""}, {"b b", kTime, "bad \xff"}, {"a", kTime, "two"}};
    const LogLabels of_a{{"owner", "me"}};
    const LogLabels none;
    const LabelsOf labels = [&](const std::string& service) -> const LogLabels& {
        return service == "a" ? of_a : none;
    };
    EXPECT_EQ(boost::json::parse(loki_body(lines, labels)), boost::json::parse(R"({"streams":[
        {"stream":{"owner":"me","pebble_service":"a"},"values":[["1795246000228999000","one \"1\""],["1795246000228999000","two"]]},
        {"stream":{"pebble_service":"b b"},"values":[["1795246000228999000","bad \ufffd"]]}]})"));
    EXPECT_EQ(boost::json::parse(opentelemetry_body(lines, labels)), boost::json::parse(R"({"resourceLogs":[
        {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}},{"key":"owner","value":{"stringValue":"me"}}]},
         "scopeLogs":[{"scope":{"name":"pebble"},"logRecords":[
           {"timeUnixNano":"1795246000228999000","body":{"stringValue":"one \"1\""}},{"timeUnixNano":"1795246000228999000","body":{"stringValue":"two"}}]}]},
        {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"b b"}}]},
         "scopeLogs":[{"scope":{"name":"pebble"},"logRecords":[{"timeUnixNano":"1795246000228999000","body":{"stringValue":"bad \ufffd"}}]}]}]})"));
    EXPECT_EQ(syslog_message(lines[1], {{"k", "v\"]\\"}}, "host"),
              "<13>1 2026-11-21T07:26:40.228999Z host b_b - - [pebble@28978 k=\"v\\\"\\]\\\\\"] bad \xff");
    EXPECT_EQ(syslog_message(lines[2], {}, "host"), "<13>1 2026-11-21T07:26:40.228999Z host a - - - two");
}

TEST(ForwardQueue, DropsTheOldestLinesAndSaysHowMany) {
    ForwardQueue queue(10'000);
    for (int i = 0; i < 1000; ++i) queue.push({"a", kTime, fmt::format("{:050}", i)});
    const std::size_t kept = queue.size();
    EXPECT_LT(kept, 100u);
    const auto taken = queue.take(2);
    ASSERT_EQ(taken.size(), 3u);
    EXPECT_EQ(taken[0].text,
              fmt::format("(... {} lines lost: the log target took too long ...)", 1000 - kept));
    EXPECT_EQ(taken[1].text, fmt::format("{:050}", 1000 - kept));
    EXPECT_EQ(queue.take(1000).back().text, fmt::format("{:050}", 999));
    EXPECT_TRUE(queue.empty());
}

class SilentLog final : public Log {
  public:
    void write(const LogEvent& event) override { events.emplace_back(event.name); }
    std::vector<std::string> events;
};

class ForwardingTest : public LoopTest {
  protected:
    // Answers with `status_`, and keeps what was posted when that is success.
    std::unique_ptr<HttpServer> receiver(std::uint16_t port = 0) {
        auto server = HttpServer::listen(loop_, {.listen = {"127.0.0.1", port}},
                                         HttpHandler([this](HttpRequest request, auto respond) {
                                             const boost::json::value body = boost::json::parse(request.body);
                                             if (status_ < 300)
                                                 for (const auto& stream : body.at("streams").as_array())
                                                     for (const auto& value : stream.at("values").as_array())
                                                         got_.emplace_back(value.at(1).as_string());
                                             else
                                                 ++refused_;
                                             respond({status_, {}, {}, {}});
                                         }));
        EXPECT_TRUE(server);
        return std::move(*server);
    }
    supervise::Plan plan(const std::string& location, const std::string& type = "loki") {
        supervise::Plan result;
        result.services["a"].environment["OWNER"] = "me";
        result.log_targets["t"] = {.type = type,
                                   .location = location,
                                   .services = {"all", "-silent"},
                                   .labels = {{"owner", "$OWNER"}}};
        return result;
    }
    void apply(const supervise::Plan& wanted) {
        forwarding_.plan_changed(
            wanted, [&](const std::string& service) { return wanted.services.at(service).environment; });
    }
    static std::string url(const HttpServer& server) {
        return fmt::format("http://127.0.0.1:{}/push", server.port());
    }

    LogHub hub_{loop_};
    SilentLog log_;
    static constexpr auto kSoon = std::chrono::milliseconds(50);
    LogForwarding forwarding_{loop_, hub_, log_, {kSoon, kSoon, kSoon}};
    int status_ = 204;
    int refused_ = 0;
    std::vector<std::string> got_;
};

TEST_F(ForwardingTest, SendsWhatSelectedServicesWriteInOrder) {
    const auto server = receiver();
    apply(plan(url(*server)));
    for (int i = 0; i < 250; ++i) hub_.append("a", std::to_string(i));
    hub_.append("silent", "unwanted");
    EXPECT_TRUE(wait_for([&] { return got_.size() >= 250; }));
    ASSERT_EQ(got_.size(), 250u);
    for (int i = 0; i < 250; ++i) EXPECT_EQ(got_[static_cast<std::size_t>(i)], std::to_string(i));
    EXPECT_TRUE(log_.events.empty());
}

TEST_F(ForwardingTest, KeepsLinesWhileTheTargetIsOutOfReach) {
    auto server = receiver();
    const std::uint16_t port = server->port();
    apply(plan(url(*server)));
    server.reset();
    for (int i = 0; i < 300; ++i) hub_.append("a", std::to_string(i));
    EXPECT_TRUE(wait_for([&] { return log_.events == std::vector<std::string>{"log-target-fails"}; }));
    server = receiver(port);
    status_ = 503;
    EXPECT_TRUE(wait_for([&] { return refused_ > 0; }));
    status_ = 200;
    EXPECT_TRUE(wait_for([&] { return got_.size() >= 300; }));
    EXPECT_EQ(got_.front(), "0");
    EXPECT_EQ(got_.size(), 300u);
    EXPECT_EQ(log_.events.back(), "log-target-back");
}

TEST_F(ForwardingTest, DropsWhatTheTargetRefusesAndGoesOn) {
    const auto server = receiver();
    apply(plan(url(*server)));
    status_ = 400;
    hub_.append("a", "bad");
    EXPECT_TRUE(wait_for([&] { return refused_ == 1; }));
    status_ = 204;
    hub_.append("a", "good");
    EXPECT_TRUE(wait_for([&] { return !got_.empty(); }));
    EXPECT_EQ(got_, std::vector<std::string>{"good"});
}

TEST_F(ForwardingTest, GoesToANewAddressAtOnceWithWhatWaits) {
    apply(plan("http://127.0.0.1:1/push"));
    hub_.append("a", "early");
    EXPECT_TRUE(wait_for([&] { return !log_.events.empty(); }));
    const auto server = receiver();
    apply(plan(url(*server)));
    EXPECT_TRUE(wait_for([&] { return !got_.empty(); }));
    EXPECT_EQ(got_, std::vector<std::string>{"early"});
    apply({});
    hub_.append("a", "after the target is gone");
    loop_.run_until([] { return false; }, std::chrono::milliseconds(50));
    EXPECT_EQ(got_.size(), 1u);
}

TEST_F(ForwardingTest, SendsTheRestAtTheEndButNotForEver) {
    const auto server = receiver();
    apply(plan(url(*server)));
    for (int i = 0; i < 150; ++i) hub_.append("a", std::to_string(i));
    bool finished = false;
    forwarding_.finish(kLimit, [&] { finished = true; });
    EXPECT_TRUE(wait_for([&] { return finished; }));
    EXPECT_EQ(got_.size(), 150u);
    status_ = 503;
    hub_.append("a", "never");
    finished = false;
    const Instant begin = loop_.clock().now();
    forwarding_.finish(std::chrono::milliseconds(100), [&] { finished = true; });
    EXPECT_TRUE(wait_for([&] { return finished; }));
    EXPECT_LT(loop_.clock().now() - begin, std::chrono::seconds(2));
}

TEST_F(ForwardingTest, DoesNotHoldUpTheEndForATargetThatWasOutOfReachBefore) {
    apply(plan("http://127.0.0.1:1/push"));
    hub_.append("a", "nobody takes it");
    EXPECT_TRUE(wait_for([&] { return !log_.events.empty(); }));
    bool finished = false;
    forwarding_.finish(std::chrono::hours(1), [&] { finished = true; });
    EXPECT_TRUE(wait_for([&] { return finished; }));
}

TEST_F(ForwardingTest, SpeaksSyslogOverTcpAndConnectsAgain) {
    namespace asio = boost::asio;
    asio::ip::tcp::acceptor acceptor(loop_.context(), {asio::ip::address_v4::loopback(), 0});
    std::string got;
    char buffer[4096];
    auto socket = std::make_unique<asio::ip::tcp::socket>(loop_.context());
    std::function<void()> read = [&] {
        socket->async_read_some(asio::buffer(buffer), [&](auto error, std::size_t size) {
            if (error) return;
            got.append(buffer, size);
            read();
        });
    };
    std::function<void()> accept = [&] {
        acceptor.async_accept([&](auto error, asio::ip::tcp::socket accepted) {
            if (error) return;
            *socket = std::move(accepted);
            read();
        });
    };
    accept();
    apply(plan(fmt::format("tcp://127.0.0.1:{}", acceptor.local_endpoint().port()), "syslog"));
    hub_.append("a", "one");
    EXPECT_TRUE(wait_for([&] { return got.ends_with("[pebble@28978 owner=\"me\"] one"); })) << got;
    EXPECT_EQ(got.substr(0, got.find(' ')), std::to_string(got.size() - got.find(' ') - 1)) << got;
    socket = std::make_unique<asio::ip::tcp::socket>(loop_.context());
    got.clear();
    accept();
    hub_.append("a", "two");
    EXPECT_TRUE(wait_for([&] { return got.ends_with("two"); })) << got;
}

TEST_F(ForwardingTest, SpeaksSyslogOverUdpWithAMessageADatagram) {
    namespace asio = boost::asio;
    asio::ip::udp::socket socket(loop_.context(), {asio::ip::address_v4::loopback(), 0});
    std::vector<std::string> got;
    char buffer[65536];
    std::function<void()> read = [&] {
        socket.async_receive(asio::buffer(buffer), [&](auto error, std::size_t size) {
            if (error) return;
            got.emplace_back(buffer, size);
            read();
        });
    };
    read();
    apply(plan(fmt::format("udp://127.0.0.1:{}", socket.local_endpoint().port()), "syslog"));
    hub_.append("a", "one\ntwo");
    EXPECT_TRUE(wait_for([&] { return got.size() == 2; }));
    EXPECT_TRUE(got[0].ends_with("] one") && got[1].ends_with("] two")) << got[0] << got[1];
}

}  // namespace
}  // namespace pgherd::supervisor
