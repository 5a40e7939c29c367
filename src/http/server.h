// The HTTP server under the REST API.
//
// Health checks must be answered while thousands of connections lie idle or crawl, because load balancers
// decide by them who is the primary. So an idle connection holds no buffer, and every state of a connection
// has a deadline; when descriptors run out, or the bound on connections is reached, the one that has been
// idle the longest makes room for the new one.
//
// HTTP/1.1 with keep-alive and pipelining, and HTTP/1.0. It does not route, authenticate or log: that is the
// handler's.
#pragma once

#include <memory>
#include <string>

#include "eventloop/loop.h"
#include "http/server_exchange.h"
#include "model/agent_config.h"
#include "ports/http.h"

namespace pgherd {

struct HttpServerOptions {
    Endpoint listen{"127.0.0.1", 8008};  // host "*" or "": all addresses; port 0: any free one
    std::string unix_socket;             // a path: listens there instead
    unsigned socket_mode = 0666;
    TlsFiles tls;                        // cert_file empty = plain HTTP
    std::string verify_client = "none";  // none, optional, required
    std::size_t max_header = 16 * 1024;
    std::size_t max_body = 1024 * 1024;                // of a request that an HttpHandler answers
    Duration idle_timeout = std::chrono::seconds(60);  // nothing of a request has come
    Duration request_timeout =
        std::chrono::seconds(10);  // for a request's head (or the handshake); and for each piece of its body
    Duration answer_timeout = std::chrono::seconds(30);  // until the peer has taken the answer
    std::size_t max_connections = 0;        // 0 = what the limit of descriptors allows, with a reserve
    std::size_t max_tls_connections = 256;  // past their handshake: each costs some 100 kB
};

class HttpServer {
  public:
    // Raises the process's soft limit of descriptors. Errors: the address cannot be listened on, a
    // certificate is unusable.
    static Result<std::unique_ptr<HttpServer>> listen(EventLoop& loop, HttpServerOptions options,
                                                      HttpHandler handler);
    static Result<std::unique_ptr<HttpServer>> listen(EventLoop& loop, HttpServerOptions options,
                                                      ServerExchangeHandler handler);
    // Closes every connection, and removes the unix socket. Answers that come later go nowhere.
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    std::uint16_t port() const;  // 0 for a unix socket
    std::size_t connections() const;
    // For new connections; after an error the old certificates stay. Cannot change between plain and TLS.
    Status reload_tls(const TlsFiles& files, const std::string& verify_client);

  private:
    struct Core;
    static Result<std::unique_ptr<HttpServer>> open(std::shared_ptr<Core> core);
    explicit HttpServer(std::shared_ptr<Core> core);
    std::shared_ptr<Core> core_;
};

}  // namespace pgherd
