// A websocket (RFC 6455), of the server or of the client, over plain TCP or a unix socket.
//
// Messages come whole and have a bound. One read and one write may be under way at a time; pings are answered
// while a read is. No compression, no sub-protocols, any Origin. Destroying it closes the connection at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "base/result.h"
#include "eventloop/loop.h"
#include "http/client.h"

namespace pgherd {

struct WebSocketOptions {
    std::size_t max_message = 1024 * 1024;
};

class WebSocket {
  public:
    struct Message {
        bool text = false;
        std::string_view data;  // until the next read
    };

    virtual ~WebSocket() = default;

    // Errors: cancelled (the peer closed in order), unavailable (it vanished), invalid (it broke the protocol
    // or the bound).
    virtual boost::asio::awaitable<Result<Message>> read() = 0;
    virtual boost::asio::awaitable<Status> write_text(std::string_view data) = 0;
    virtual boost::asio::awaitable<Status> write_binary(std::string_view data) = 0;
    // Says goodbye and waits for the peer's, a second at the most. Not while a write is under way.
    virtual boost::asio::awaitable<void> close() = 0;
    // Ends whatever is under way with an error.
    virtual void abort() = 0;
};

// What came of asking for a websocket: the socket, or the answer of a server that said something else.
struct WebSocketAnswer {
    std::unique_ptr<WebSocket> socket;
    HttpClientResponse refusal;
};

// `url` is http://…; with `unix_socket` given, the connection goes there and the URL's host is only named.
boost::asio::awaitable<Result<WebSocketAnswer>> open_web_socket(EventLoop& loop, std::string unix_socket,
                                                                std::string url, HttpHeaders headers,
                                                                Instant deadline,
                                                                WebSocketOptions options = {});

}  // namespace pgherd
