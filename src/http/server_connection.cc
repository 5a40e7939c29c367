#include "http/server_connection.h"

#include <algorithm>
#include <exception>

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "http/connection_exchange.h"

namespace pgherd {

namespace {

constexpr std::size_t kReadSize = 4096;
constexpr std::size_t kLingerBytes = 64 * 1024 * 1024;
constexpr std::size_t kFewConnections = 64;  // may have a buffer each while they are idle

std::string address_text(StreamSocket& socket) {
    error_code error;
    const auto peer = socket.remote_endpoint(error);
    if (error || (peer.data()->sa_family != AF_INET && peer.data()->sa_family != AF_INET6)) return {};
    tcp::endpoint endpoint;
    endpoint.resize(peer.size());
    std::copy_n(reinterpret_cast<const char*>(peer.data()), peer.size(),
                reinterpret_cast<char*>(endpoint.data()));
    const auto address = endpoint.address();
    return address.is_v6() && address.to_v6().is_v4_mapped()
               ? asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string()
               : address.to_string();
}

std::optional<PeerProcess> ask_peer_process(StreamSocket& socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
        credentials.uid ==
            static_cast<uid_t>(-1))  // TCP; the pid is 0 when the peer lives in another namespace
        return std::nullopt;
    return PeerProcess{credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace

ServerConnection::ServerConnection(std::shared_ptr<ConnectionSetting> setting, StreamSocket socket)
    : setting_(std::move(setting)), transport_(std::move(socket)) {
    setting_->table.add(*this, boottime_now());
    peer_address_ = address_text(transport_.socket());
    if (peer_address_.empty()) peer_process_ = ask_peer_process(transport_.socket());
}

ServerConnection::~ServerConnection() {
    setting_->table.remove(*this);
    if (counted_as_tls_) --setting_->tls_connections;
}

void ServerConnection::abort() {
    transport_.close();
    if (const auto exchange = current_.lock()) exchange->notice_gone();
}

void ServerConnection::enter(ConnectionPhase phase) {
    setting_->table.enter(*this, phase, boottime_now());
}

asio::awaitable<void> ServerConnection::serve(std::shared_ptr<ServerConnection> self) {
    if (co_await self->open())
        while (co_await self->wait_for_request() && co_await self->serve_request())
            self->enter(self->transport_.tls() ? ConnectionPhase::idle_tls : ConnectionPhase::idle);
    if (!self->upgraded_) self->transport_.close();
}

// The handshake begins with the client's first byte; before that, TLS has cost nothing.
asio::awaitable<bool> ServerConnection::open() {
    if (!setting_->tls) co_return true;
    if (co_await transport_.wait_readable()) co_return false;
    enter(ConnectionPhase::reading);
    if (setting_->tls_connections >= setting_->max_tls_connections &&
        !setting_->table.abort_oldest({ConnectionPhase::idle_tls, ConnectionPhase::reading}))
        co_return false;
    ++setting_->tls_connections;
    counted_as_tls_ = true;
    const Status done = co_await transport_.accept_tls(setting_->tls);
    enter(ConnectionPhase::idle_tls);
    co_return done.has_value();
}

asio::awaitable<bool> ServerConnection::wait_for_request() {
    if (input_.size() > 0) co_return true;  // pipelined
    // Reading at once is the quicker way to wait.
    if (!setting_->tls && setting_->table.size() <= kFewConnections) co_return co_await fill(kReadSize);
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
    const auto exchange = std::make_shared<ConnectionExchange>(shared_from_this());
    Ending ending{};
    if (const error_code error = co_await exchange->read_head()) {
        ending = co_await exchange->refuse(error);
    } else if (const Status understood = exchange->understand(); !understood) {
        ending = co_await exchange->refuse(400, understood.error().message);
    } else {
        if (ended()) co_return false;
        enter(ConnectionPhase::answering);
        current_ = exchange;
        try {
            co_await setting_->handler(exchange);
        } catch (const std::exception&) {
            // Answered below, with 500 or by a broken connection: one request must not end the program.
        }
        ending = co_await exchange->settle();
    }
    upgraded_ = ending == Ending::upgraded;
    if (ending == Ending::close_unread) co_await linger();
    co_return ending == Ending::keep && !ended();
}

// What still comes is read and forgotten for a while, since closing a socket with unread bytes resets the
// connection, and the peer would not see the answer.
asio::awaitable<void> ServerConnection::linger() {
    enter(ConnectionPhase::reading);
    error_code ignored;
    if (!transport_.tls()) transport_.socket().shutdown(StreamSocket::shutdown_send, ignored);
    for (std::size_t read = 0; read < kLingerBytes;) {
        input_.clear();
        if (!co_await fill(16 * kReadSize)) break;
        read += input_.size();
    }
}

}  // namespace pgherd
