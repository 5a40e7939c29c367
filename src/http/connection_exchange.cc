#include "http/connection_exchange.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <fmt/format.h>
#include <poll.h>

#include "base/text.h"
#include "http/chunked.h"
#include "http/server_web_socket.h"
#include "http/url.h"

namespace pgherd {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t kHeadSize = 4096;
constexpr std::size_t kPieceSize = 64 * 1024;

// Both directions of a unix socket are closed.
bool hung_up(StreamSocket& socket) {
    pollfd look{.fd = socket.native_handle(), .events = 0, .revents = 0};
    return ::poll(&look, 1, 0) > 0;
}

std::string text(boost::beast::string_view view) {
    return {view.data(), view.size()};
}

bool has_line_break(std::string_view value) {
    return value.find_first_of("\r\n") != std::string_view::npos;
}

enum class Length { known, chunked, until_close };

std::string response_head(const HttpResponse& response, std::string_view method, Length length,
                          bool keep_alive) {
    const bool without_body = response.status < 200 || response.status == 204 || response.status == 304;
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
    std::string head =
        fmt::format("HTTP/1.1 {} {}\r\n", response.status, std::string_view(reason.data(), reason.size()));
    if (!without_body) {
        if (!response.content_type.empty() && !has_line_break(response.content_type))
            head += fmt::format("Content-Type: {}\r\n", response.content_type);
        if (length == Length::known)
            head += fmt::format("Content-Length: {}\r\n", method == "OPTIONS" ? 0 : response.body.size());
        if (length == Length::chunked) head += "Transfer-Encoding: chunked\r\n";
    }
    for (const auto& [name, value] : response.headers)
        if (!has_line_break(name) && !has_line_break(value)) head += fmt::format("{}: {}\r\n", name, value);
    head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return head;
}

int status_of(error_code error) {
    if (error == http::error::header_limit) return 431;
    if (error == http::error::body_limit) return 413;
    if (error == asio::error::timed_out) return 408;
    return 400;
}

bool answers_without_body(std::string_view method, int status) {
    return method == "HEAD" || method == "OPTIONS" || status == 204 || status == 304;
}

std::unexpected<Error> has_gone() {
    return fail(ErrorCode::unavailable, "the client has gone");
}

}  // namespace

ConnectionExchange::ConnectionExchange(std::shared_ptr<ServerConnection> connection)
    : connection_(std::move(connection)) {
    parser_.eager(true);
    parser_.header_limit(static_cast<std::uint32_t>(connection_->setting().max_header));
    if (connection_->setting().max_body > 0)
        parser_.body_limit(connection_->setting().max_body);
    else
        parser_.body_limit(boost::none);
}

asio::awaitable<error_code> ConnectionExchange::read_head() {
    bool fill = connection_->input().size() == 0;
    while (!parser_.is_header_done()) {
        if (fill && !co_await connection_->fill(kHeadSize)) co_return asio::error::eof;
        error_code error;
        connection_->input().consume(parser_.put(connection_->input().data(), error));
        if (error && error != http::error::need_more && error != http::error::need_buffer) co_return error;
        fill = true;
        need_more_ = error == http::error::need_more;  // the parser has looked at the body, too
    }
    keep_alive_ = parser_.keep_alive();
    co_return error_code{};
}

Status ConnectionExchange::understand() {
    const auto& head = parser_.get();
    method_ = request_.method = text(head.method_string());
    std::string target = text(head.target());
    if (const std::size_t scheme = target.find("://");
        !target.starts_with('/') && scheme != std::string::npos) {
        const std::size_t path = target.find('/', scheme + 3);
        target = path == std::string::npos ? "/" : target.substr(path);
    }
    if (!target.starts_with('/') && target != "*")
        return fail(ErrorCode::invalid, "the path must begin with /");
    const std::string_view view = std::string_view(target).substr(0, target.find('#'));
    const std::size_t question = std::min(view.find('?'), view.size());
    PGHERD_TRY(request_.path, percent_decode(view.substr(0, question), false));
    PGHERD_TRY(request_.query, parse_query(question < view.size() ? view.substr(question + 1) : ""));
    for (const auto& field : head) {
        std::string& value = request_.headers[to_lower(text(field.name_string()))];
        if (!value.empty()) value += ", ";
        value += text(field.value());
    }
    request_.peer_address = connection_->peer_address();
    request_.peer_process = connection_->peer_process();
    request_.client_certificate = connection_->transport().client_certificate();
    return {};
}

asio::awaitable<Ending> ConnectionExchange::refuse(error_code error) {
    if (error == asio::error::eof) co_return Ending::close;
    co_return co_await refuse(status_of(error), error.message());
}

asio::awaitable<Ending> ConnectionExchange::refuse(int status, std::string why) {
    keep_alive_ = false;
    method_ = "GET";
    const Status sent =
        co_await answer({status, fmt::format("cannot read the request: {}\n", why), "text/plain", {}});
    co_return sent ? Ending::close_unread : Ending::close;
}

asio::awaitable<Ending> ConnectionExchange::settle() {
    on_gone_ = nullptr;
    stop_watching_.emit(asio::cancellation_type::terminal);
    if (answer_ == Answer::none && usable()) {
        if (read_error_ && read_error_ != asio::error::eof) {
            over_ = false;
            const Ending ending = co_await refuse(read_error_);
            over_ = true;
            co_return ending;
        }
        if (!read_error_) co_await answer({500, "the request was dropped\n", "text/plain", {}});
    }
    const auto has_rest = [this] {
        return keep_alive_ && answer_ == Answer::finished && !parser_.is_done() && usable();
    };
    if (has_rest()) connection_->enter(ConnectionPhase::reading);
    while (has_rest())
        if (!co_await read_piece()) keep_alive_ = false;
    over_ = true;
    if (answer_ == Answer::upgraded) co_return Ending::upgraded;
    if (answer_ != Answer::finished || connection_->ended()) co_return Ending::close;
    if (!parser_.is_done()) co_return Ending::close_unread;
    co_return keep_alive_ ? Ending::keep : Ending::close;
}

// Notes why, for the connection; the handler only learns that it is over.
std::unexpected<Error> ConnectionExchange::broken(error_code error) {
    read_error_ = error;
    keep_alive_ = false;
    if (error == asio::error::eof) return has_gone();
    return fail(ErrorCode::invalid, "cannot read the request: " + error.message());
}

asio::awaitable<Result<std::string_view>> ConnectionExchange::read() {
    if (parser_.is_done()) co_return std::string_view();
    connection_->enter(unlimited_ ? ConnectionPhase::answering : ConnectionPhase::reading);
    Result<std::string_view> piece = co_await read_piece();
    if (piece && usable()) connection_->enter(ConnectionPhase::answering);
    co_return piece;
}

asio::awaitable<Result<std::string_view>> ConnectionExchange::read_piece() {
    if (!usable()) co_return broken(asio::error::eof);
    if (const Status asked = co_await ask_to_continue(); !asked) co_return std::unexpected(asked.error());
    if (piece_.empty()) {
        const auto left = parser_.content_length_remaining();
        piece_.resize(left && *left > 0 ? std::min<std::size_t>(*left, kPieceSize) : kPieceSize);
    }
    auto& body = parser_.get().body();
    body.data = piece_.data();
    body.size = piece_.size();
    need_more_ = need_more_ || connection_->input().size() == 0;
    while (!parser_.is_done() && body.size == piece_.size()) {
        if (need_more_ && !co_await connection_->fill(kPieceSize)) co_return broken(asio::error::eof);
        if (need_more_ && !is_worth_parsing(parser_, connection_->input().size())) continue;
        error_code error;
        connection_->input().consume(parser_.put(connection_->input().data(), error));
        if (error && error != http::error::need_more && error != http::error::need_buffer)
            co_return broken(error);
        need_more_ = error == http::error::need_more || connection_->input().size() == 0;
        // The line before a chunk, or what follows the last one: the parser would take any length.
        if (need_more_ && connection_->input().size() > connection_->setting().max_header)
            co_return broken(http::error::header_limit);
    }
    co_return std::string_view(piece_).substr(0, piece_.size() - body.size);
}

asio::awaitable<Status> ConnectionExchange::ask_to_continue() {
    if (told_to_continue_) co_return Status{};
    told_to_continue_ = true;
    if (parser_.is_done() || !iequals(text(parser_.get()[http::field::expect]), "100-continue"))
        co_return Status{};
    const Transferred sent = co_await connection_->transport().write("HTTP/1.1 100 Continue\r\n\r\n", {});
    if (sent.error) co_return broken(asio::error::eof);
    co_return Status{};
}

asio::awaitable<Result<std::string>> ConnectionExchange::read_all(std::size_t limit) {
    std::string all;
    if (parser_.is_done()) co_return all;
    if (const auto length = parser_.content_length_remaining()) {
        if (*length > limit) co_return broken(http::error::body_limit);
        all.reserve(*length);
    }
    connection_->enter(unlimited_ ? ConnectionPhase::answering : ConnectionPhase::reading);
    while (!parser_.is_done()) {
        Result<std::string_view> piece = co_await read_piece();
        if (!piece) co_return std::unexpected(piece.error());
        if (all.size() + piece->size() > limit) co_return broken(http::error::body_limit);
        all += *piece;
    }
    connection_->enter(ConnectionPhase::answering);
    co_return all;
}

// A rest that is shorter than a reconnect is worth reading.
bool ConnectionExchange::rest_is_small() const {
    if (parser_.is_done()) return true;
    const auto left = parser_.content_length_remaining();
    return left && *left <= kPieceSize && told_to_continue_;
}

asio::awaitable<Status> ConnectionExchange::send(std::string_view head, std::string_view body,
                                                 std::string_view tail) {
    if (!usable()) co_return has_gone();
    begin_sending();
    co_return sent(co_await connection_->transport().write(head, body, tail));
}

void ConnectionExchange::begin_sending() {
    connection_->enter(unlimited_ ? ConnectionPhase::answering : ConnectionPhase::writing);
}

Status ConnectionExchange::sent(const Transferred& what) {
    if (what.error) {
        notice_gone();
        return has_gone();
    }
    if (usable()) connection_->enter(ConnectionPhase::answering);
    return {};
}

asio::awaitable<Status> ConnectionExchange::answer(HttpResponse response) {
    if (answer_ != Answer::none) co_return fail("the request was answered already");
    answer_ = Answer::begun;
    keep_alive_ = keep_alive_ && rest_is_small();
    const std::string head = response_head(response, method_, Length::known, keep_alive_);
    if (!usable()) co_return has_gone();
    begin_sending();
    const bool without_body = answers_without_body(method_, response.status);
    Status done = sent(co_await connection_->transport().write_at_once(
        head, without_body ? std::string_view() : response.body));
    if (done) answer_ = Answer::finished;
    co_return done;
}

asio::awaitable<Status> ConnectionExchange::begin(HttpResponse response) {
    if (answer_ != Answer::none) co_return fail("the request was answered already");
    answer_ = Answer::begun;
    in_chunks_ = parser_.get().version() >= 11;
    without_body_ = answers_without_body(method_, response.status);
    keep_alive_ = keep_alive_ && in_chunks_ && rest_is_small();
    const std::string head =
        response_head(response, method_, in_chunks_ ? Length::chunked : Length::until_close, keep_alive_);
    co_return co_await send(head, {});
}

asio::awaitable<Status> ConnectionExchange::write(std::string_view piece) {
    if (answer_ != Answer::begun) co_return fail("the answer was not begun");
    if (piece.empty() || without_body_) co_return Status{};
    if (!in_chunks_) co_return co_await send({}, piece);
    const std::string head = fmt::format("{:x}\r\n", piece.size());
    co_return co_await send(head, piece, "\r\n");
}

bool ConnectionExchange::write_now(std::string_view piece) {
    if (answer_ != Answer::begun || without_body_ || !usable()) return true;
    if (!piece.empty() && in_chunks_) fmt::format_to(std::back_inserter(unsent_), "{:x}\r\n", piece.size());
    unsent_ += piece;
    if (!piece.empty() && in_chunks_) unsent_ += "\r\n";
    unsent_.erase(0, connection_->transport().write_some_now(unsent_));
    if (unsent_.empty() && unsent_.capacity() > kPieceSize) unsent_ = {};
    return unsent_.empty();
}

asio::awaitable<Status> ConnectionExchange::wait_writable() {
    if (!usable()) co_return has_gone();
    begin_sending();
    if (!connection_->transport().tls())
        co_return sent({co_await connection_->transport().wait_writable(), 0});
    const std::string all = std::exchange(unsent_, {});
    co_return sent(co_await connection_->transport().write(all, {}));
}

asio::awaitable<Status> ConnectionExchange::finish() {
    if (answer_ != Answer::begun) co_return fail("the answer was not begun");
    Status done;
    if (in_chunks_ && !without_body_) unsent_ += "0\r\n\r\n";
    if (!unsent_.empty()) done = co_await send(unsent_, {});
    unsent_.clear();
    if (done) answer_ = Answer::finished;
    co_return done;
}

asio::awaitable<Result<std::unique_ptr<WebSocket>>> ConnectionExchange::upgrade(WebSocketOptions options) {
    if (answer_ != Answer::none) co_return fail("the request was answered already");
    const http::request<http::empty_body> head{http::request_header<>(parser_.get().base())};
    if (!may_become_web_socket(head) || connection_->transport().tls() || connection_->input().size() > 0)
        co_return fail(ErrorCode::invalid, "this is no websocket request");
    if (!usable()) co_return has_gone();
    answer_ = Answer::upgraded;
    Result<std::unique_ptr<WebSocket>> socket =
        co_await accept_web_socket(connection_->transport().socket(), connection_, head, options);
    if (!socket) answer_ = Answer::begun;
    co_return socket;
}

void ConnectionExchange::lift_time_limits() {
    unlimited_ = true;
    error_code ignored;  // a unix socket has no such thing
    connection_->transport().socket().set_option(asio::socket_base::keep_alive(true), ignored);
}

void ConnectionExchange::notice_gone() {
    gone_ = true;
    if (!on_gone_) return;
    asio::post(connection_->transport().socket().get_executor(), [self = shared_from_this()] {
        if (const auto then = std::exchange(self->on_gone_, nullptr)) then();
    });
}

bool ConnectionExchange::gone() const {
    return gone_ || over_ || connection_->ended();
}

void ConnectionExchange::on_gone(std::function<void()> then) {
    on_gone_ = std::move(then);
    if (gone())
        notice_gone();
    else if (!watching_)
        watch();
}

// A peer on TCP that will send no more counts as gone, as there is no telling the difference. On a unix
// socket there is; there the wait lasts as long as the connection unless it is stopped.
void ConnectionExchange::watch() {
    watching_ = true;
    StreamSocket& socket = connection_->transport().socket();
    const bool tells = request_.peer_process.has_value();
    auto readable = [weak = weak_from_this(), tells](error_code error) {
        const auto self = weak.lock();
        if (!self || self->over_) return;
        // Asio ends the first wait of a socket, too, by what was under way for an earlier one of its number.
        if (!error && tells && !hung_up(self->connection_->transport().socket())) return self->watch();
        if (error || tells || self->connection_->transport().peer_gone()) self->notice_gone();
    };
    socket.async_wait(tells ? StreamSocket::wait_error : StreamSocket::wait_read,
                      asio::bind_cancellation_slot(stop_watching_.slot(), std::move(readable)));
}

}  // namespace pgherd
