// The HTTP client: one request, one answer, one deadline; or a stream of chunks that lasts.
//
// Connections are kept and used again. An error says which step failed, and whether the peer may have acted:
// a request that was never sent is `not_done`, one that was sent and not answered `maybe_done`. It follows no
// redirects and repeats nothing, except when a kept connection turns out to be dead: then GET, HEAD and
// OPTIONS, and whatever was not sent at all, go over a fresh one, once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eventloop/loop.h"
#include "model/agent_config.h"
#include "ports/completion.h"

namespace pgherd {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpClientResponse {
    int status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
};

struct HttpClientOptions {
    std::string unix_socket;  // a path: every request goes there, whatever host its URL names
    TlsFiles tls;             // for https; read at the first use, and again when the files change
    Duration connect_timeout =
        std::chrono::seconds(2);  // per address, TLS handshake included; the deadline counts as well
    Duration silence_timeout =
        std::chrono::seconds(10);  // the kernel gives up on a peer that acknowledges nothing
    std::size_t max_response = 64 * 1024 * 1024;
    std::size_t max_kept = 4;                  // idle connections per host and port
    Duration keep = std::chrono::seconds(30);  // idle connections, at the most

    // For a store of `servers` equivalent servers: where there is another one to go to, a dead one is not
    // waited for.
    static HttpClientOptions for_store(TlsFiles tls, std::size_t servers) {
        HttpClientOptions options;
        options.tls = std::move(tls);
        options.connect_timeout = std::chrono::seconds(servers > 1 ? 1 : 2);
        options.silence_timeout = std::chrono::seconds(6);
        return options;
    }
};

// The next piece of a request's body; empty: that was all. An error ends the request, and is its answer.
using HttpBodySource = std::function<Result<std::string>()>;

// Ends the stream when destroyed; no callback comes after that.
class HttpStream {
  public:
    virtual ~HttpStream() = default;
};

class HttpClient {
  public:
    explicit HttpClient(EventLoop& loop, HttpClientOptions options = {});
    // Drops everything under way; no callback comes after that.
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // Any status is an answer. Errors: invalid (URL, certificates), unavailable, timeout, denied (certificate
    // refused).
    void request(std::string method, std::string url, HttpHeaders headers, std::string body, Instant deadline,
                 Done<HttpClientResponse> done);

    // A body of any size, sent in chunks, each asked for when the connection takes more. An answer that comes
    // before the end of the body ends the request. Never repeated.
    void upload(std::string method, std::string url, HttpHeaders headers, HttpBodySource body,
                Instant deadline, Done<HttpClientResponse> done);

    // `on_chunk` gets the body of a 2xx answer as it comes; `on_end` comes once: with the whole answer when
    // the status was another one, with an empty body when the peer ended the stream in order, or with an
    // error. `deadline` is for the head of the answer only.
    // `on_head` gets its status and headers before.
    using OnChunk = std::function<void(std::string_view)>;
    using OnHead = std::function<void(const HttpClientResponse& head)>;
    [[nodiscard]] std::unique_ptr<HttpStream> stream(std::string method, std::string url, HttpHeaders headers,
                                                     std::string body, Instant deadline, OnChunk on_chunk,
                                                     Done<HttpClientResponse> on_end, OnHead on_head = {});

    // Takes over other certificates: kept connections are dropped.
    void set_tls(TlsFiles tls);

  private:
    struct Core;
    std::shared_ptr<Core> core_;
};

std::pair<std::string, std::string> basic_authorization(std::string_view username, std::string_view password);

}  // namespace pgherd
