// One request and its answer as the server's handler sees them, for whatever is too long for memory or lasts:
// uploads, downloads, long polls, logs that are followed, websockets.
//
// The handler is a coroutine and pulls: nothing is read from the client before `read`, and `write` returns
// when the client's side has taken the piece, so that a slow client holds one piece of memory and nobody
// else's time. A handler that waits for something else than its client asks to be told when the client goes
// (`on_gone`). It answers in one of three ways: `answer`; `begin`, `write`…, `finish`; `upgrade`. One that
// returns without any has failed, and the client is told 500.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "http/web_socket.h"
#include "ports/http.h"

namespace pgherd {

class ServerExchange {
  public:
    virtual ~ServerExchange() = default;

    // Method, path, query, headers, peer. `body` is empty: see `read`.
    HttpRequest& request() { return request_; }
    const HttpRequest& request() const { return request_; }

    // The next piece of the body, at most 64 KiB, valid until the next call; empty at the end. Errors:
    // unavailable (the client has gone), timeout, invalid (it is no HTTP). After an error the handler just
    // returns: the client, if there still is one, is told by the connection.
    virtual boost::asio::awaitable<Result<std::string_view>> read() = 0;
    // What is left of the body. More than `limit` bytes are an error of code `invalid`, and status 413 unless
    // the handler answers itself.
    virtual boost::asio::awaitable<Result<std::string>> read_all(std::size_t limit) = 0;

    // The whole answer at once. An error says that the client has gone; nothing is to be done about it.
    virtual boost::asio::awaitable<Status> answer(HttpResponse response) = 0;
    // An answer in pieces. `head.body` is ignored. Without `finish` the client sees a broken answer.
    virtual boost::asio::awaitable<Status> begin(HttpResponse head) = 0;
    virtual boost::asio::awaitable<Status> write(std::string_view piece) = 0;
    virtual boost::asio::awaitable<Status> finish() = 0;

    // `write` in two steps, for many exchanges that share the loop's time: sends what the client takes at
    // once, together with what is left of before, and gives whether that was all; the rest is kept. The
    // second only waits, and its error says that the client has gone.
    virtual bool write_now(std::string_view piece) = 0;
    virtual boost::asio::awaitable<Status> wait_writable() = 0;

    // Turns the connection into a websocket, which then belongs to the caller and outlives the exchange. An
    // error of code `invalid`: this is no websocket request, answer it yourself.
    virtual boost::asio::awaitable<Result<std::unique_ptr<WebSocket>>> upgrade(
        WebSocketOptions options = {}) = 0;

    // From now on the client may take and give as slowly as it likes.
    virtual void lift_time_limits() = 0;
    // Calls `then` once, from the loop, when the client goes away or the server ends, while the handler waits
    // for something else. At once (but later) when that has happened already. Only after the body was read.
    virtual void on_gone(std::function<void()> then) = 0;
    virtual bool gone() const = 0;

  protected:
    HttpRequest request_;
};

using ServerExchangeHandler = std::function<boost::asio::awaitable<void>(std::shared_ptr<ServerExchange>)>;

// Lets a handler of values answer: reads the body, asks it, answers; whether it answers at once or later.
boost::asio::awaitable<void> serve_values(std::shared_ptr<ServerExchange> exchange,
                                          const HttpHandler& handler, std::size_t max_body);

}  // namespace pgherd
