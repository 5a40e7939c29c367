#include "http/exchange.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>

#include "base/text.h"
#include "http/chunked.h"
#include "http/resolve.h"

namespace pgherd {

namespace http = boost::beast::http;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadSize = 8192;
constexpr std::size_t kMaxHead = 64 * 1024;

// A peer that has silently gone is noticed by the kernel: probes while idle, a limit on unacknowledged bytes.
void notice_silence(StreamSocket& socket, Duration silence) {
    const auto set = [&](int level, int option, int value) {
        ::setsockopt(socket.native_handle(), level, option, &value, sizeof value);
    };
    const int seconds =
        std::max(3, static_cast<int>(std::chrono::ceil<std::chrono::seconds>(silence).count()));
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, seconds / 3);
    set(IPPROTO_TCP, TCP_KEEPINTVL, seconds / 3);
    set(IPPROTO_TCP, TCP_KEEPCNT, 2);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

std::string in_words(error_code error) {
    return error == asio::error::eof ? "the peer closed the connection" : to_lower(error.message());
}

std::string request_head(const std::string& method, const Url& url, const HttpHeaders& headers,
                         std::size_t body_size, bool in_chunks) {
    const bool usual_port = url.port == (url.tls ? 443 : 80);
    const std::string authority = url.authority();
    std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, url.target,
                                   usual_port ? authority.substr(0, authority.rfind(':')) : authority);
    for (const auto& [name, value] : headers) head += fmt::format("{}: {}\r\n", name, value);
    if (in_chunks)
        head += "Transfer-Encoding: chunked\r\n";
    else if (body_size > 0 || method == "POST" || method == "PUT" || method == "PATCH")
        head += fmt::format("Content-Length: {}\r\n", body_size);
    return head + "\r\n";
}

HttpClientResponse head_of(const http::response<http::string_body>& message) {
    HttpClientResponse response{static_cast<int>(message.result_int()), {}, {}};
    for (const auto& field : message) {
        std::string& value =
            response
                .headers[to_lower(std::string_view(field.name_string().data(), field.name_string().size()))];
        if (!value.empty()) value += ", ";
        value.append(field.value().data(), field.value().size());
    }
    return response;
}

}  // namespace

std::unique_ptr<Transport> ConnectionPool::take(const std::string& key) {
    const auto found = kept_.find(key);
    if (found == kept_.end()) return nullptr;
    std::unique_ptr<Transport> transport;
    while (!transport && !found->second.empty()) {
        Kept kept = std::move(found->second.back());
        found->second.pop_back();
        if (kept.until > boottime_now() && kept.transport->quiet()) transport = std::move(kept.transport);
    }
    if (found->second.empty()) kept_.erase(found);
    return transport;
}

void ConnectionPool::give_back(const std::string& key, std::unique_ptr<Transport> transport) {
    const Instant now = boottime_now();
    // Those of hosts that nobody asks any more as well.
    for (auto host = kept_.begin(); host != kept_.end();) {
        std::erase_if(host->second, [&](const Kept& each) { return each.until <= now; });
        host = host->second.empty() ? kept_.erase(host) : std::next(host);
    }
    auto& kept = kept_[key];
    if (kept.size() >= options.max_kept) kept.erase(kept.begin());
    kept.push_back({std::move(transport), now + options.keep});
}

// While the files are being replaced they may not fit each other; then the ones before still serve.
Result<TlsContext> ConnectionPool::tls() {
    std::string stamp = tls_stamp(options.tls);
    if (tls_ && stamp == tls_stamp_) return tls_;
    Result<TlsContext> made = client_tls(options.tls);
    if (!made) return tls_ ? Result<TlsContext>(tls_) : made;
    tls_ = std::move(*made);
    tls_stamp_ = std::move(stamp);
    return tls_;
}

void ConnectionPool::clear() {
    kept_.clear();
    tls_stamp_.clear();
}

Exchange::Exchange(std::shared_ptr<ConnectionPool> pool, std::string method, Url url, HttpHeaders headers,
                   std::string body, Instant deadline)
    : pool_(std::move(pool)),
      method_(std::move(method)),
      url_(std::move(url)),
      headers_(std::move(headers)),
      body_(std::move(body)),
      deadline_(deadline),
      started_(boottime_now()) {}

void Exchange::abandon() {
    abandoned_ = true;
    if (transport_) transport_->close();
}

// Nothing under way lasts beyond `when`; max = no limit.
void Exchange::limit(Instant when) {
    timer_.reset();
    timed_out_ = false;
    if (when == Instant::max()) return;
    timer_ = pool_->loop.clock().call_at(when, [this] {
        timed_out_ = true;
        if (transport_) transport_->close();
    });
}

asio::awaitable<Result<HttpClientResponse>> Exchange::run() {
    transport_ = pool_->take(key());
    for (bool kept = transport_ != nullptr;; kept = false) {
        sent_any_ = received_any_ = false;
        if (!kept) {
            if (Status connected = co_await connect(); !connected)
                co_return std::unexpected(connected.error());
        }
        limit(deadline_);
        Status sent = co_await send();
        Result<HttpClientResponse> response;
        if (sent)
            response = co_await receive();
        else
            response = std::unexpected(sent.error());
        timer_.reset();
        // One that has died without a word was not alone.
        if (kept && !response && !received_any_ && !abandoned_) pool_->drop(key());
        if (response || !kept || received_any_ || timed_out_ || abandoned_ || !may_repeat())
            co_return response;
    }
}

bool Exchange::may_repeat() const {
    if (body_source) return false;
    return !sent_any_ || method_ == "GET" || method_ == "HEAD" || method_ == "OPTIONS";
}

asio::awaitable<Status> Exchange::connect() {
    const auto cannot = [&](const Error& why) {
        return std::unexpected(with_context(why, "cannot reach " + peer()));
    };
    if (over_unix()) {
        Status connected = co_await connect_to_path();
        if (!connected) co_return cannot(connected.error());
        co_return connected;
    }
    const Instant now = boottime_now();
    const auto addresses = co_await resolve(pool_->loop, url_.host, url_.port,
                                            std::min(deadline_, now + pool_->options.connect_timeout));
    if (!addresses) co_return cannot(addresses.error());
    Status connected = fail(ErrorCode::unavailable, "the host name has no address");
    for (const tcp::endpoint& address : *addresses) {
        if (abandoned_) co_return cannot(Error{ErrorCode::cancelled, "cancelled"});
        connected = co_await connect_to(address);
        if (connected && url_.tls) connected = co_await secure();
        if (connected) co_return connected;
    }
    co_return cannot(connected.error());
}

std::string Exchange::peer() const {
    return over_unix() ? pool_->options.unix_socket : url_.authority();
}

asio::awaitable<Status> Exchange::connect_to_path() {
    const std::string& path = pool_->options.unix_socket;
    if (url_.tls) co_return fail(ErrorCode::invalid, "https is not spoken over a unix socket");
    if (path.size() >= sizeof(sockaddr_un::sun_path))
        co_return fail(ErrorCode::invalid, "the path of the socket is too long");
    co_return co_await connect_to(asio::local::stream_protocol::endpoint(path));
}

asio::awaitable<Status> Exchange::connect_to(const asio::generic::stream_protocol::endpoint& address) {
    const Instant begin = boottime_now();
    transport_.reset();
    StreamSocket socket(pool_->loop.context());
    error_code error;
    socket.open(address.protocol(), error);
    if (error) co_return fail(ErrorCode::unavailable, "cannot open a socket: " + error.message());
    if (!over_unix()) notice_silence(socket, pool_->options.silence_timeout);
    transport_ = std::make_unique<Transport>(std::move(socket));
    limit(std::min(deadline_, begin + pool_->options.connect_timeout));
    const auto [failed] = co_await transport_->socket().async_connect(address, kNoThrow);
    if (timed_out_)
        co_return fail(ErrorCode::timeout,
                       fmt::format("connect timed out after {}", to_text(boottime_now() - begin)));
    if (failed) co_return fail(ErrorCode::unavailable, in_words(failed));
    co_return Status{};
}

asio::awaitable<Status> Exchange::secure() {
    const Instant begin = boottime_now();
    Result<TlsContext> context = pool_->tls();
    if (!context) co_return std::unexpected(context.error());
    Status done = co_await transport_->start_tls(*context, url_.host);
    if (!done && timed_out_)
        co_return fail(ErrorCode::timeout,
                       fmt::format("TLS handshake timed out after {}", to_text(boottime_now() - begin)));
    co_return done;
}

// What went wrong after connecting, with what the peer may have done.
Status Exchange::failure(const Error& why) const {
    const Certainty certainty = sent_any_ ? Certainty::maybe_done : Certainty::not_done;
    const std::string what = fmt::format("{} {}", method_, url_.target.substr(0, url_.target.find('?')));
    if (timed_out_)
        return fail(
            ErrorCode::timeout,
            fmt::format("no answer from {} to {} within {}", peer(), what, to_text(deadline_ - started_)),
            certainty);
    return fail(why.code, fmt::format("no answer from {} to {}: {}", peer(), what, why.message), certainty);
}

asio::awaitable<Status> Exchange::send() {
    const std::string head = request_head(method_, url_, headers_, body_.size(), body_source != nullptr);
    const Transferred sent = co_await transport_->write(head, body_);
    sent_any_ = sent.bytes > 0 || (sent.error && transport_->tls());
    if (sent.error) co_return failure({ErrorCode::unavailable, in_words(sent.error)});
    if (body_source) co_return co_await send_body();
    co_return Status{};
}

// A server that has answered already takes no more: its answer counts, not that the body was cut.
asio::awaitable<Status> Exchange::send_body() {
    while (transport_->quiet()) {
        Result<std::string> piece = body_source();
        if (abandoned_) co_return fail(ErrorCode::cancelled, "cancelled", Certainty::maybe_done);
        if (!piece) co_return std::unexpected(piece.error());
        const std::string size = fmt::format("{:x}\r\n", piece->size());
        const Transferred sent = co_await transport_->write(size, *piece, "\r\n");
        if (sent.error || piece->empty()) break;
    }
    co_return Status{};
}

asio::awaitable<Result<HttpClientResponse>> Exchange::receive() {
    auto parser = std::make_unique<Parser>();
    parser->eager(true);
    parser->skip(method_ == "HEAD");
    parser->header_limit(kMaxHead);
    parser->body_limit(on_chunk ? boost::optional<std::uint64_t>() : pool_->options.max_response);
    input_.clear();
    if (Status done = co_await receive_into(*parser); !done) co_return std::unexpected(done.error());

    const bool keep = parser->keep_alive() && input_.size() == 0 && !body_source;
    auto message = parser->release();
    HttpClientResponse response = head_of(message);
    response.body = std::move(message.body());
    if (keep && !abandoned_ && transport_->socket().is_open()) pool_->give_back(key(), std::move(transport_));
    co_return response;
}

asio::awaitable<Status> Exchange::receive_into(Parser& parser) {
    bool need_more = false;
    while (!parser.is_done()) {
        const Transferred got = co_await transport_->read_some(input_.prepare(kReadSize));
        if (abandoned_) co_return fail(ErrorCode::cancelled, "cancelled", Certainty::maybe_done);
        input_.commit(got.bytes);
        received_any_ = received_any_ || got.bytes > 0;
        error_code error = got.error;
        if (!error && need_more && !is_worth_parsing(parser, input_.size())) continue;
        if (!error) {
            input_.consume(parser.put(input_.data(), error));
        } else if (error == asio::error::eof && received_any_) {
            parser.put_eof(error);
        } else {
            co_return failure({ErrorCode::unavailable, in_words(error)});
        }
        need_more = error == http::error::need_more;
        if (error && !need_more) co_return failure({ErrorCode::unavailable, error.message()});
        // What is not understood yet is a head, or the line before a chunk; the parser bounds only the first.
        if (input_.size() > kMaxHead)
            co_return failure({ErrorCode::unavailable, "the answer has an endless line"});
        if (on_chunk && parser.is_header_done()) hand_over_chunk(parser);
        if (abandoned_) co_return fail(ErrorCode::cancelled, "cancelled", Certainty::maybe_done);
    }
    co_return Status{};
}

void Exchange::hand_over_chunk(Parser& parser) {
    if (parser.get().result_int() / 100 != 2) return;
    limit(Instant::max());
    if (on_head && !std::exchange(head_given_, true)) on_head(head_of(parser.get()));
    const std::string chunk = std::exchange(parser.get().body(), {});
    if (!chunk.empty() && !abandoned_) on_chunk(chunk);
}

}  // namespace pgherd
