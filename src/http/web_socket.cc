#include "http/web_socket.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "http/resolve.h"
#include "http/server_web_socket.h"
#include "http/url.h"

namespace pgherd {

namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr Duration kGoodbye = std::chrono::seconds(1);

class BeastWebSocket final : public WebSocket {
  public:
    BeastWebSocket(StreamSocket& socket, std::shared_ptr<void> owner, WebSocketOptions options)
        : parts_(std::make_shared<Parts>(socket, std::move(owner))) {
        parts_->stream.read_message_max(options.max_message);
        parts_->stream.auto_fragment(false);
    }
    ~BeastWebSocket() override { abort(); }

    asio::awaitable<Result<Message>> read() override {
        const auto parts = parts_;
        parts->input.clear();
        const auto [error, size] = co_await parts->stream.async_read(parts->input, kNoThrow);
        if (error == websocket::error::closed)
            co_return fail(ErrorCode::cancelled, "the peer closed the websocket");
        if (error) co_return broken(error);
        const auto data = parts->input.cdata();
        co_return Message{parts->stream.got_text(), {static_cast<const char*>(data.data()), data.size()}};
    }
    asio::awaitable<Status> write_text(std::string_view data) override { return write(parts_, true, data); }
    asio::awaitable<Status> write_binary(std::string_view data) override {
        return write(parts_, false, data);
    }

    asio::awaitable<void> close() override {
        const auto parts = parts_;
        asio::steady_timer limit(parts->socket.get_executor(), kGoodbye);
        limit.async_wait([parts](error_code error) {
            if (!error) parts->close();
        });
        co_await parts->stream.async_close(websocket::close_code::normal, kNoThrow);
        limit.cancel();
        parts->close();
    }
    void abort() override { parts_->close(); }

    websocket::stream<StreamSocket&, false>& stream() { return parts_->stream; }

  private:
    // An operation under way keeps them, though the websocket may be destroyed.
    struct Parts {
        Parts(StreamSocket& given, std::shared_ptr<void> keeper)
            : owner(std::move(keeper)), socket(given), stream(given) {}
        void close() {
            error_code ignored;
            socket.close(ignored);
        }
        std::shared_ptr<void> owner;
        StreamSocket& socket;
        websocket::stream<StreamSocket&, false> stream;
        boost::beast::flat_buffer input;
    };

    static std::unexpected<Error> broken(error_code error) {
        const bool ours = error == websocket::error::message_too_big ||
                          error == websocket::error::bad_data_frame ||
                          error.category() == error_code(websocket::error::bad_opcode).category();
        return fail(ours ? ErrorCode::invalid : ErrorCode::unavailable,
                    "the websocket broke: " + error.message());
    }
    static asio::awaitable<Status> write(std::shared_ptr<Parts> parts, bool as_text, std::string_view data) {
        parts->stream.text(as_text);
        const auto [error, size] = co_await parts->stream.async_write(asio::buffer(data), kNoThrow);
        if (error) co_return broken(error);
        co_return Status{};
    }

    std::shared_ptr<Parts> parts_;
};

std::string in_words(error_code error) {
    return error == asio::error::eof || error == http::error::end_of_stream ? "the peer closed the connection"
                                                                            : to_lower(error.message());
}

// A connection that is closed when its time has passed.
struct Dialled {
    explicit Dialled(EventLoop& loop) : socket(loop.context()) {}
    StreamSocket socket;
    Timer timer;
    bool timed_out = false;
};

asio::awaitable<Status> dial(EventLoop& loop, const std::shared_ptr<Dialled>& dialled,
                             const std::string& unix_socket, const Url& url, Instant deadline) {
    dialled->timer = loop.clock().call_at(deadline, [weak = std::weak_ptr(dialled)] {
        const auto alive = weak.lock();
        if (!alive) return;
        alive->timed_out = true;
        error_code ignored;
        alive->socket.close(ignored);
    });
    const std::string name = unix_socket.empty() ? url.authority() : unix_socket;
    const auto cannot = [&](const std::string& why) {
        return fail(ErrorCode::unavailable, fmt::format("cannot reach {}: {}", name, why));
    };
    std::vector<asio::generic::stream_protocol::endpoint> targets;
    if (!unix_socket.empty()) {
        if (unix_socket.size() >= sizeof(sockaddr_un::sun_path)) co_return cannot("the path is too long");
        targets.emplace_back(asio::local::stream_protocol::endpoint(unix_socket));
    } else {
        const auto addresses = co_await resolve(loop, url.host, url.port, deadline);
        if (!addresses) co_return cannot(addresses.error().message);
        for (const tcp::endpoint& address : *addresses) targets.emplace_back(address);
    }
    error_code last = asio::error::host_not_found;
    for (const auto& target : targets) {
        error_code ignored;
        dialled->socket.close(ignored);
        std::tie(last) = co_await dialled->socket.async_connect(target, kNoThrow);
        if (!last || dialled->timed_out) break;
    }
    if (dialled->timed_out)
        co_return fail(ErrorCode::timeout, fmt::format("cannot reach {}: timed out", name));
    if (last) co_return cannot(in_words(last));
    dialled->socket.set_option(tcp::no_delay(true), last);
    co_return Status{};
}

HttpClientResponse refusal_of(http::response<http::string_body>& message) {
    HttpClientResponse refusal{static_cast<int>(message.result_int()), {}, std::move(message.body())};
    for (const auto& field : message)
        refusal.headers[to_lower({field.name_string().data(), field.name_string().size()})] =
            std::string(field.value().data(), field.value().size());
    return refusal;
}

}  // namespace

bool may_become_web_socket(const UpgradeRequest& head) {
    return websocket::is_upgrade(head);
}

asio::awaitable<Result<std::unique_ptr<WebSocket>>> accept_web_socket(StreamSocket& socket,
                                                                      std::shared_ptr<void> owner,
                                                                      const UpgradeRequest& head,
                                                                      WebSocketOptions options) {
    auto result = std::make_unique<BeastWebSocket>(socket, std::move(owner), options);
    const auto [error] = co_await result->stream().async_accept(head, kNoThrow);
    if (error) co_return fail(ErrorCode::unavailable, "cannot become a websocket: " + in_words(error));
    co_return std::unique_ptr<WebSocket>(std::move(result));
}

asio::awaitable<Result<WebSocketAnswer>> open_web_socket(EventLoop& loop, std::string unix_socket,
                                                         std::string url, HttpHeaders headers,
                                                         Instant deadline, WebSocketOptions options) {
    const Result<Url> parsed = parse_url(url);
    if (!parsed) co_return std::unexpected(parsed.error());
    if (parsed->tls) co_return fail(ErrorCode::invalid, "cannot open a websocket over https");
    const auto dialled = std::make_shared<Dialled>(loop);
    if (Status reached = co_await dial(loop, dialled, unix_socket, *parsed, deadline); !reached)
        co_return std::unexpected(reached.error());
    auto socket = std::make_unique<BeastWebSocket>(dialled->socket, dialled, options);
    socket->stream().set_option(websocket::stream_base::decorator([&](websocket::request_type& head) {
        for (const auto& [name, value] : headers) head.set(name, value);
    }));
    http::response<http::string_body> said;
    const std::string host = unix_socket.empty() ? parsed->authority() : parsed->host;
    const auto [error] = co_await socket->stream().async_handshake(said, host, parsed->target, kNoThrow);
    const bool timed_out = dialled->timed_out;
    dialled->timer.reset();
    if (timed_out) co_return fail(ErrorCode::timeout, "no answer to the websocket request: timed out");
    if (error == websocket::error::upgrade_declined) co_return WebSocketAnswer{nullptr, refusal_of(said)};
    if (error)
        co_return fail(ErrorCode::unavailable, "no answer to the websocket request: " + in_words(error));
    co_return WebSocketAnswer{std::move(socket), {}};
}

}  // namespace pgherd
