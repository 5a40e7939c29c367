#include "http/transport.h"

#include <algorithm>
#include <array>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace pgherd {

namespace ssl = boost::asio::ssl;

namespace {
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
}

Transport::Transport(StreamSocket socket) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);  // a unix socket refuses, and needs it not
    // A program started by us would keep the connection open, and the peer would never see it end.
    ::fcntl(socket_.native_handle(), F_SETFD, FD_CLOEXEC);
}

asio::awaitable<Status> Transport::accept_tls(TlsContext context) {
    context_ = std::move(context);
    stream_.emplace(socket_, *context_);
    co_return co_await handshake(ssl::stream_base::server);
}

asio::awaitable<Status> Transport::start_tls(TlsContext context, std::string host) {
    context_ = std::move(context);
    stream_.emplace(socket_, *context_);
    error_code error;
    asio::ip::make_address(host, error);
    if (error) SSL_set_tlsext_host_name(stream_->native_handle(), host.data());
    if (SSL_get_verify_mode(stream_->native_handle()) != SSL_VERIFY_NONE)
        stream_->set_verify_callback(ssl::host_name_verification(host), error);
    co_return co_await handshake(ssl::stream_base::client);
}

asio::awaitable<Status> Transport::handshake(ssl::stream_base::handshake_type type) {
    const auto [error] = co_await stream_->async_handshake(type, kNoThrow);
    if (!error) co_return Status{};
    const long verified = SSL_get_verify_result(stream_->native_handle());
    if (verified != X509_V_OK)
        co_return fail(ErrorCode::denied,
                       std::string("certificate refused: ") + X509_verify_cert_error_string(verified));
    co_return fail(ErrorCode::unavailable, "TLS handshake failed: " + tls_reason(error));
}

asio::awaitable<Transferred> Transport::read_some(asio::mutable_buffer buffer) {
    if (!stream_) {
        const auto [error, bytes] = co_await socket_.async_read_some(buffer, kNoThrow);
        co_return Transferred{error, bytes};
    }
    const auto [error, bytes] = co_await stream_->async_read_some(buffer, kNoThrow);
    co_return Transferred{error == ssl::error::stream_truncated ? asio::error::eof : error, bytes};
}

asio::awaitable<Transferred> Transport::write(std::string_view head, std::string_view body,
                                              std::string_view tail) {
    const std::array<asio::const_buffer, 3> parts{asio::buffer(head), asio::buffer(body), asio::buffer(tail)};
    if (!stream_) {
        const auto [error, bytes] = co_await asio::async_write(socket_, parts, kNoThrow);
        co_return Transferred{error, bytes};
    }
    const auto [error, bytes] = co_await asio::async_write(*stream_, parts, kNoThrow);
    co_return Transferred{error, bytes};
}

asio::awaitable<Transferred> Transport::write_at_once(std::string_view head, std::string_view body) {
    if (stream_) co_return co_await write(head, body);
    std::array<iovec, 2> parts{iovec{const_cast<char*>(head.data()), head.size()},
                               iovec{const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    if (done == head.size() + body.size()) co_return Transferred{{}, done};
    // What is left, or the error, is found the usual way.
    const std::size_t of_head = std::min(done, head.size());
    Transferred rest = co_await write(head.substr(of_head), body.substr(done - of_head));
    rest.bytes += done;
    co_return rest;
}

asio::awaitable<error_code> Transport::wait_readable() {
    const auto [error] = co_await socket_.async_wait(StreamSocket::wait_read, kNoThrow);
    co_return error;
}

asio::awaitable<error_code> Transport::wait_writable() {
    const auto [error] = co_await socket_.async_wait(StreamSocket::wait_write, kNoThrow);
    co_return error;
}

std::size_t Transport::write_some_now(std::string_view bytes) {
    if (stream_ || !socket_.is_open()) return 0;
    const ssize_t sent =
        ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

bool Transport::client_certificate() const {
    if (!stream_) return false;
    SSL* handle = const_cast<ssl::stream<StreamSocket&>&>(*stream_).native_handle();
    return SSL_get0_peer_certificate(handle) != nullptr && SSL_get_verify_result(handle) == X509_V_OK;
}

Transport::Pending Transport::pending() const {
    if (!socket_.is_open()) return Pending::end;
    char byte = 0;
    const ssize_t got =
        ::recv(const_cast<StreamSocket&>(socket_).native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) return Pending::bytes;
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? Pending::nothing : Pending::end;
}

bool Transport::quiet() const {
    return pending() == Pending::nothing;
}

bool Transport::peer_gone() const {
    return pending() == Pending::end;
}

void Transport::close() {
    error_code ignored;
    socket_.close(ignored);
}

}  // namespace pgherd
