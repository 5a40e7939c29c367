#include "http/server_connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "http/url.h"

namespace pgherd {

namespace http = boost::beast::http;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadSize = 4096;
constexpr std::size_t kLingerBytes = 4 * 1024 * 1024;

std::string text(boost::beast::string_view view) {
    return {view.data(), view.size()};
}

bool has_line_break(std::string_view value) {
    return value.find_first_of("\r\n") != std::string_view::npos;
}

std::string response_head(const HttpResponse& response, std::string_view method, bool keep_alive) {
    const bool without_body = response.status < 200 || response.status == 204 || response.status == 304;
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
    std::string head =
        fmt::format("HTTP/1.1 {} {}\r\n", response.status, std::string_view(reason.data(), reason.size()));
    if (!without_body) {
        if (!response.content_type.empty() && !has_line_break(response.content_type))
            head += fmt::format("Content-Type: {}\r\n", response.content_type);
        head += fmt::format("Content-Length: {}\r\n", method == "OPTIONS" ? 0 : response.body.size());
    }
    for (const auto& [name, value] : response.headers)
        if (!has_line_break(name) && !has_line_break(value)) head += fmt::format("{}: {}\r\n", name, value);
    head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return head;
}

int status_of(error_code error) {
    if (error == http::error::header_limit) return 431;
    if (error == http::error::body_limit) return 413;
    return 400;
}

}  // namespace

// The answer and the wait for it. It lives in the coroutine's frame, the Responder only looks at it.
struct ServerConnection::Awaited {
    explicit Awaited(const asio::any_io_executor& executor)
        : arrived(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer arrived;  // cancelled when there is something to do
    std::optional<HttpResponse> response;
};

// A handler that drops its responder has answered too: the client must not wait for ever.
class ServerConnection::Responder {
  public:
    explicit Responder(const std::shared_ptr<Awaited>& awaited) : awaited_(awaited) {}
    Responder(Responder&& other) noexcept : awaited_(std::exchange(other.awaited_, {})) {}
    Responder& operator=(Responder&&) = delete;
    ~Responder() { answer({500, "the request was dropped\n", "text/plain", {}}); }

    void operator()(HttpResponse response) {
        answer(std::move(response));
        awaited_.reset();
    }

  private:
    void answer(HttpResponse response) {
        const auto awaited = awaited_.lock();
        if (!awaited) return;
        awaited->response = std::move(response);
        awaited->arrived.cancel();
    }
    std::weak_ptr<Awaited> awaited_;
};

ServerConnection::ServerConnection(std::shared_ptr<ConnectionSetting> setting, tcp::socket socket)
    : setting_(std::move(setting)), transport_(std::move(socket)) {
    setting_->table.add(*this, boottime_now());
}

ServerConnection::~ServerConnection() {
    setting_->table.remove(*this);
    if (counted_as_tls_) --setting_->tls_connections;
}

void ServerConnection::abort() {
    transport_.close();
    if (const auto awaited = awaited_.lock()) awaited->arrived.cancel();
}

void ServerConnection::enter(ConnectionPhase phase) {
    setting_->table.enter(*this, phase, boottime_now());
}

asio::awaitable<void> ServerConnection::serve(std::shared_ptr<ServerConnection> self) {
    if (co_await self->open())
        while (co_await self->wait_for_request() && co_await self->serve_request())
            self->enter(self->transport_.tls() ? ConnectionPhase::idle_tls : ConnectionPhase::idle);
    self->transport_.close();
}

// The handshake begins with the client's first byte; before that, TLS has cost nothing.
asio::awaitable<bool> ServerConnection::open() {
    if (!setting_->tls) co_return true;
    if (co_await transport_.wait_readable()) co_return false;
    enter(ConnectionPhase::reading);
    if (setting_->tls_connections >= setting_->max_tls_connections &&
        !setting_->table.abort_oldest({ConnectionPhase::idle_tls}))
        co_return false;
    ++setting_->tls_connections;
    counted_as_tls_ = true;
    const Status done = co_await transport_.accept_tls(setting_->tls);
    enter(ConnectionPhase::idle_tls);
    co_return done.has_value();
}

asio::awaitable<bool> ServerConnection::wait_for_request() {
    if (input_.size() > 0) co_return true;  // pipelined
    input_.shrink_to_fit();
    if (transport_.tls()) co_return co_await fill(kReadSize);
    co_return !co_await transport_.wait_readable();
}

asio::awaitable<bool> ServerConnection::fill(std::size_t size) {
    const Transferred got = co_await transport_.read_some(input_.prepare(size));
    input_.commit(got.bytes);
    co_return !got.error;
}

asio::awaitable<bool> ServerConnection::serve_request() {
    enter(ConnectionPhase::reading);
    auto parser = std::make_unique<Parser>();
    if (const error_code error = co_await read_request(*parser)) {
        if (error == asio::error::eof) co_return false;
        co_return co_await refuse(status_of(error), error.message());
    }
    const bool keep_alive = parser->keep_alive();
    Message message = parser->release();
    parser.reset();
    Result<HttpRequest> request = understand(message);
    if (!request) co_return co_await refuse(400, request.error().message);
    if (ended()) co_return false;
    const std::string method = request->method;
    enter(ConnectionPhase::answering);
    const HttpResponse response = co_await ask_handler(std::move(*request));
    if (ended()) co_return false;
    enter(ConnectionPhase::writing);
    co_return co_await write(response, method, keep_alive) && keep_alive;
}

// Gives eof for a connection that ended, before or within a request.
asio::awaitable<error_code> ServerConnection::read_request(Parser& parser) {
    parser.eager(true);
    parser.header_limit(static_cast<std::uint32_t>(setting_->max_header));
    parser.body_limit(setting_->max_body);
    bool need_more = input_.size() == 0;
    bool told_to_continue = false;
    while (!parser.is_done()) {
        if (need_more && !co_await fill(kReadSize)) co_return asio::error::eof;
        error_code error;
        input_.consume(parser.put(input_.data(), error));
        if (error && error != http::error::need_more) co_return error;
        need_more = error == http::error::need_more || input_.size() == 0;
        if (parser.is_header_done() && !parser.is_done() && !told_to_continue &&
            iequals(text(parser.get()[http::field::expect]), "100-continue")) {
            told_to_continue = true;
            const Transferred sent = co_await transport_.write("HTTP/1.1 100 Continue\r\n\r\n", {});
            if (sent.error) co_return asio::error::eof;
        }
    }
    co_return error_code{};
}

Result<HttpRequest> ServerConnection::understand(Message& message) const {
    HttpRequest request;
    request.method = text(message.method_string());
    std::string target = text(message.target());
    if (const std::size_t scheme = target.find("://");
        !target.starts_with('/') && scheme != std::string::npos) {
        const std::size_t path = target.find('/', scheme + 3);
        target = path == std::string::npos ? "/" : target.substr(path);
    }
    if (!target.starts_with('/') && target != "*")
        return fail(ErrorCode::invalid, "the path must begin with /");
    const std::string_view view = std::string_view(target).substr(0, target.find('#'));
    const std::size_t question = std::min(view.find('?'), view.size());
    PGHERD_TRY(request.path, percent_decode(view.substr(0, question), false));
    PGHERD_TRY(request.query, parse_query(question < view.size() ? view.substr(question + 1) : ""));
    for (const auto& field : message) {
        std::string& value = request.headers[to_lower(text(field.name_string()))];
        if (!value.empty()) value += ", ";
        value += text(field.value());
    }
    request.body = std::move(message.body());
    error_code ignored;
    const auto peer = const_cast<Transport&>(transport_).socket().remote_endpoint(ignored).address();
    request.peer_address = peer.is_v6() && peer.to_v6().is_v4_mapped()
                               ? asio::ip::make_address_v4(asio::ip::v4_mapped, peer.to_v6()).to_string()
                               : peer.to_string();
    request.client_certificate = transport_.client_certificate();
    return request;
}

asio::awaitable<HttpResponse> ServerConnection::ask_handler(HttpRequest request) {
    const auto awaited = std::make_shared<Awaited>(transport_.socket().get_executor());
    awaited_ = awaited;
    setting_->handler(std::move(request), Responder(awaited));
    while (!awaited->response && !ended()) co_await awaited->arrived.async_wait(kNoThrow);
    co_return awaited->response ? std::move(*awaited->response) : HttpResponse{503, {}, {}, {}};
}

asio::awaitable<bool> ServerConnection::write(const HttpResponse& response, std::string_view method,
                                              bool keep_alive) {
    const std::string head = response_head(response, method, keep_alive);
    const bool without_body =
        method == "HEAD" || method == "OPTIONS" || response.status == 204 || response.status == 304;
    const Transferred sent =
        co_await transport_.write(head, without_body ? std::string_view() : response.body);
    co_return !sent.error;
}

// Answers and ends the connection. What still comes is read and forgotten for a while, since closing a socket
// with unread bytes resets the connection, and the peer would not see the answer.
asio::awaitable<bool> ServerConnection::refuse(int status, std::string why) {
    enter(ConnectionPhase::writing);
    const HttpResponse response{status, fmt::format("cannot read the request: {}\n", why), "text/plain", {}};
    if (!co_await write(response, "GET", false)) co_return false;
    enter(ConnectionPhase::reading);
    error_code ignored;
    if (!transport_.tls()) transport_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    for (std::size_t read = 0; read < kLingerBytes;) {
        input_.clear();
        if (!co_await fill(kReadSize)) break;
        read += input_.size();
    }
    co_return false;
}

}  // namespace pgherd
