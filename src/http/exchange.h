// One request of the client on its way: connects, sends, receives. The client's pool lends and takes back
// connections.
#pragma once

#include <memory>
#include <string>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "http/client.h"
#include "http/transport.h"
#include "http/url.h"

namespace pgherd {

// Kept connections and the TLS context; outlives the client as long as an exchange is under way.
class ConnectionPool {
  public:
    ConnectionPool(EventLoop& loop, HttpClientOptions options) : loop(loop), options(std::move(options)) {}

    std::unique_ptr<Transport> take(const std::string& key);
    void give_back(const std::string& key, std::unique_ptr<Transport> transport);
    void drop(const std::string& key) { kept_.erase(key); }
    // Of the files as they are now.
    Result<TlsContext> tls();
    void clear();

    EventLoop& loop;
    HttpClientOptions options;

  private:
    struct Kept {
        std::unique_ptr<Transport> transport;
        Instant until;
    };
    std::map<std::string, std::vector<Kept>> kept_;
    TlsContext tls_;
    std::string tls_stamp_;  // of the files that it was made of
};

class Exchange {
  public:
    Exchange(std::shared_ptr<ConnectionPool> pool, std::string method, Url url, HttpHeaders headers,
             std::string body, Instant deadline);

    // Set for a stream: gets the body of a 2xx answer piece by piece, and ends the deadline with the head.
    HttpClient::OnChunk on_chunk;
    HttpClient::OnHead on_head;
    // Set for an upload: the body, instead of the one given.
    HttpBodySource body_source;

    asio::awaitable<Result<HttpClientResponse>> run();
    void abandon();
    bool abandoned() const { return abandoned_; }

  private:
    using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

    asio::awaitable<Status> connect();
    asio::awaitable<Status> connect_to(const asio::generic::stream_protocol::endpoint& address);
    asio::awaitable<Status> connect_to_path();
    asio::awaitable<Status> secure();
    asio::awaitable<Status> send();
    asio::awaitable<Status> send_body();
    asio::awaitable<Result<HttpClientResponse>> receive();
    asio::awaitable<Status> receive_into(Parser& parser);
    Status failure(const Error& why) const;
    void hand_over_chunk(Parser& parser);
    std::string peer() const;
    void limit(Instant when);
    bool may_repeat() const;
    bool over_unix() const { return !pool_->options.unix_socket.empty(); }
    std::string key() const {
        return over_unix() ? std::string() : (url_.tls ? "https://" : "http://") + url_.authority();
    }

    std::shared_ptr<ConnectionPool> pool_;
    std::string method_;
    Url url_;
    HttpHeaders headers_;
    std::string body_;
    Instant deadline_;
    Instant started_;
    std::unique_ptr<Transport> transport_;
    boost::beast::flat_buffer input_;
    Timer timer_;
    bool timed_out_ = false;
    bool abandoned_ = false;
    bool sent_any_ = false;
    bool received_any_ = false;
    bool head_given_ = false;
};

}  // namespace pgherd
