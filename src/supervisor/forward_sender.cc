#include "supervisor/forward_sender.h"

#include <array>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/scope.h"
#include "eventloop/spawn.h"
#include "http/client.h"
#include "http/resolve.h"
#include "http/url.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr Duration kAnswerLimit = std::chrono::seconds(10);
constexpr std::uint16_t kSyslogPort = 514;

class HttpSender final : public ForwardSender {
  public:
    using Format = std::string (*)(const std::vector<ForwardedLine>&, const LabelsOf&);
    HttpSender(EventLoop& loop, std::string url, Format format)
        : loop_(loop), url_(std::move(url)), format_(format), client_(loop) {}

    void send(const std::vector<ForwardedLine>& lines, const LabelsOf& labels_of, OnDelivery done) override {
        client_.request("POST", url_,
                        {{"Content-Type", "application/json; charset=utf-8"}, {"User-Agent", "pgherd"}},
                        format_(lines, labels_of), loop_.clock().now() + kAnswerLimit,
                        [done = std::move(done)](const Result<HttpClientResponse>& answer) {
                            if (!answer)
                                done(answer.error().code == ErrorCode::invalid ? Delivery::refused
                                                                               : Delivery::unavailable,
                                     answer.error().message);
                            else
                                done(judge(answer->status), fmt::format("status {}", answer->status));
                        });
    }

  private:
    static Delivery judge(int status) {
        if (status >= 200 && status < 300) return Delivery::taken;
        return status == 429 || status >= 500 ? Delivery::unavailable : Delivery::refused;
    }
    EventLoop& loop_;
    std::string url_;
    Format format_;
    HttpClient client_;
};

// host:port, after the scheme.
Result<Url> parse_location(const std::string& location) {
    const std::size_t scheme = location.find("://");
    if (scheme == std::string::npos)
        return fail(ErrorCode::invalid, "the location has no scheme: " + location);
    PGHERD_TRY(Url url, parse_url("http" + location.substr(scheme)));
    const std::string_view rest = std::string_view(location).substr(scheme + 3);
    const std::size_t after_host = rest.find(']') == std::string_view::npos ? 0 : rest.find(']');
    if (rest.find(':', after_host) == std::string_view::npos) url.port = kSyslogPort;
    return url;
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "-";
}

// Over TCP with the length before each message (RFC 6587), over UDP a datagram each.
class SyslogSender final : public ForwardSender {
  public:
    SyslogSender(EventLoop& loop, std::string location)
        : loop_(loop), parts_(std::make_shared<Parts>(loop, std::move(location))) {}
    ~SyslogSender() override {
        error_code ignored;
        parts_->tcp.close(ignored);
        parts_->udp.close(ignored);
    }

    void send(const std::vector<ForwardedLine>& lines, const LabelsOf& labels_of, OnDelivery done) override {
        std::vector<std::string> messages;
        for (const ForwardedLine& line : lines)
            messages.push_back(syslog_message(line, labels_of(line.service), parts_->host));
        auto tell = scope_.guard([done = std::move(done)](const Status& sent) {
            if (sent)
                done(Delivery::taken, {});
            else
                done(sent.error().code == ErrorCode::invalid ? Delivery::refused : Delivery::unavailable,
                     sent.error().message);
        });
        spawn(loop_,
              [](std::shared_ptr<Parts> parts, std::vector<std::string> all,
                 decltype(tell) then) mutable -> asio::awaitable<void> {
                  const Status sent = co_await parts->send(all);
                  then(sent);
              }(parts_, std::move(messages), std::move(tell)));
    }

  private:
    struct Parts {
        Parts(EventLoop& event_loop, std::string where)
            : loop(event_loop),
              location(std::move(where)),
              tcp(loop.context()),
              udp(loop.context()),
              host(host_name()) {}

        asio::awaitable<Status> send(const std::vector<std::string>& messages) {
            const Result<Url> url = parse_location(location);
            if (!url) co_return std::unexpected(url.error());
            const Instant deadline = loop.clock().now() + kAnswerLimit;
            const Timer limit = loop.clock().call_at(deadline, [this] {
                error_code ignored;
                tcp.close(ignored);
            });
            if (location.starts_with("udp://")) co_return co_await send_datagrams(*url, messages, deadline);
            if (location.starts_with("tcp://")) co_return co_await send_stream(*url, messages, deadline);
            co_return fail(ErrorCode::invalid, "a syslog location begins with tcp:// or udp://");
        }
        asio::awaitable<Status> send_datagrams(const Url& url, const std::vector<std::string>& messages,
                                               Instant deadline) {
            const auto addresses = co_await resolve(loop, url.host, url.port, deadline);
            if (!addresses) co_return std::unexpected(addresses.error());
            if (addresses->empty()) co_return fail(ErrorCode::unavailable, "the host name has no address");
            const asio::ip::udp::endpoint target(addresses->front().address(), addresses->front().port());
            error_code error;
            if (!udp.is_open()) udp.open(target.protocol(), error);
            for (const std::string& message : messages)
                co_await udp.async_send_to(asio::buffer(message), target, kNoThrow);
            co_return Status{};
        }
        asio::awaitable<Status> send_stream(const Url& url, const std::vector<std::string>& messages,
                                            Instant deadline) {
            if (!usable()) {
                const Status connected = co_await connect(url, deadline);
                if (!connected) co_return connected;
            }
            std::string frames;
            for (const std::string& message : messages)
                frames += fmt::format("{} {}", message.size(), message);
            const auto [error, size] = co_await asio::async_write(tcp, asio::buffer(frames), kNoThrow);
            if (!error) co_return Status{};
            error_code ignored;
            tcp.close(ignored);
            co_return fail(ErrorCode::unavailable, error.message());
        }
        asio::awaitable<Status> connect(const Url& url, Instant deadline) {
            const auto addresses = co_await resolve(loop, url.host, url.port, deadline);
            if (!addresses) co_return std::unexpected(addresses.error());
            error_code error = asio::error::host_not_found;
            for (const auto& address : *addresses) {
                error_code ignored;
                tcp.close(ignored);
                std::tie(error) = co_await tcp.async_connect(address, kNoThrow);
                if (!error) co_return Status{};
            }
            co_return fail(ErrorCode::unavailable,
                           fmt::format("cannot reach {}: {}", url.authority(), error.message()));
        }
        // A peer that has gone is noticed before lines are written to nobody.
        bool usable() {
            if (!tcp.is_open()) return false;
            char byte = 0;
            error_code error;
            tcp.non_blocking(true, error);
            tcp.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, error);
            return !error || error == asio::error::would_block;
        }

        EventLoop& loop;
        std::string location;
        asio::ip::tcp::socket tcp;
        asio::ip::udp::socket udp;
        std::string host;
    };

    EventLoop& loop_;
    std::shared_ptr<Parts> parts_;
    Scope scope_;
};

std::string without_end_slash(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

}  // namespace

std::unique_ptr<ForwardSender> make_forward_sender(EventLoop& loop, std::string_view type,
                                                   const std::string& location) {
    if (type == "loki") return std::make_unique<HttpSender>(loop, location, &loki_body);
    if (type == "opentelemetry")
        return std::make_unique<HttpSender>(loop, without_end_slash(location) + "/v1/logs",
                                            &opentelemetry_body);
    return std::make_unique<SyslogSender>(loop, location);
}

}  // namespace pgherd::supervisor
