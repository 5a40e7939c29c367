// One connection of the server: reads requests, has them answered, writes the answers, until either side has
// had enough.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/beast/core/flat_buffer.hpp>

#include "http/connection_table.h"
#include "http/server_exchange.h"
#include "http/transport.h"

namespace pgherd {

// What all connections of a server share. The server may be gone before its last connection has noticed.
struct ConnectionSetting {
    ServerExchangeHandler handler;
    ConnectionTable table;
    std::size_t max_header;
    std::uint64_t max_body;
    std::size_t max_tls_connections;
    TlsContext tls;  // nothing = plain
    std::size_t tls_connections = 0;
    bool stopped = false;
};

class ConnectionExchange;

class ServerConnection final : public TabledConnection,
                               public std::enable_shared_from_this<ServerConnection> {
  public:
    ServerConnection(std::shared_ptr<ConnectionSetting> setting, StreamSocket socket);
    ~ServerConnection() override;

    static asio::awaitable<void> serve(std::shared_ptr<ServerConnection> self);
    void abort() override;

    // For the exchange under way.
    const ConnectionSetting& setting() const { return *setting_; }
    Transport& transport() { return transport_; }
    const std::string& peer_address() const { return peer_address_; }  // empty for a unix socket
    const std::optional<PeerProcess>& peer_process() const { return peer_process_; }
    boost::beast::flat_buffer& input() { return input_; }
    asio::awaitable<bool> fill(std::size_t size);
    void enter(ConnectionPhase phase);
    bool ended() { return setting_->stopped || !transport_.socket().is_open(); }

  private:
    asio::awaitable<bool> open();
    asio::awaitable<bool> wait_for_request();
    asio::awaitable<bool> serve_request();  // false: the connection ends
    asio::awaitable<void> linger();

    std::shared_ptr<ConnectionSetting> setting_;
    Transport transport_;
    std::string peer_address_;
    std::optional<PeerProcess> peer_process_;
    boost::beast::flat_buffer input_;
    std::weak_ptr<ConnectionExchange> current_;
    bool counted_as_tls_ = false;
    bool upgraded_ = false;
};

}  // namespace pgherd
