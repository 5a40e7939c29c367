// One connection of the server: reads requests, has them answered, writes the answers, until either side has
// had enough.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "http/connection_table.h"
#include "http/transport.h"
#include "ports/http.h"

namespace pgherd {

// What all connections of a server share. The server may be gone before its last connection has noticed.
struct ConnectionSetting {
    HttpHandler handler;
    ConnectionTable table;
    std::size_t max_header;
    std::size_t max_body;
    std::size_t max_tls_connections;
    TlsContext tls;  // nothing = plain
    std::size_t tls_connections = 0;
    bool stopped = false;
};

class ServerConnection final : public TabledConnection {
  public:
    ServerConnection(std::shared_ptr<ConnectionSetting> setting, tcp::socket socket);
    ~ServerConnection() override;

    static asio::awaitable<void> serve(std::shared_ptr<ServerConnection> self);
    void abort() override;

  private:
    using Message = boost::beast::http::request<boost::beast::http::string_body>;
    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
    struct Awaited;   // an answer that the handler owes
    class Responder;  // the handler's end of it

    asio::awaitable<bool> open();
    asio::awaitable<bool> wait_for_request();
    asio::awaitable<bool> serve_request();  // false: the connection ends
    asio::awaitable<error_code> read_request(Parser& parser);
    asio::awaitable<bool> refuse(int status, std::string why);
    asio::awaitable<HttpResponse> ask_handler(HttpRequest request);
    asio::awaitable<bool> write(const HttpResponse& response, std::string_view method, bool keep_alive);
    asio::awaitable<bool> fill(std::size_t size);
    Result<HttpRequest> understand(Message& message) const;
    void enter(ConnectionPhase phase);
    bool ended() { return setting_->stopped || !transport_.socket().is_open(); }

    std::shared_ptr<ConnectionSetting> setting_;
    Transport transport_;
    boost::beast::flat_buffer input_;
    std::weak_ptr<Awaited> awaited_;
    bool counted_as_tls_ = false;
};

}  // namespace pgherd
