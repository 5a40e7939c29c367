// Calls to the Kubernetes API.
//
// One server is in use until it fails; then the next one is tried, after a pause when all have failed, within
// the call's deadline, as long as the call certainly was not done or may be done twice. A server that asks to
// wait (429, Retry-After) is waited for. Only few connections are open: one for each watch, and those that
// calls use one after the other.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "base/scope.h"
#include "http/client.h"
#include "store_kube/access.h"
#include "store_kube/objects.h"

namespace pgherd::kube {

namespace asio = boost::asio;

enum class Repeat {
    never,    // only when it certainly was not done
    harmless  // reading, and what changes nothing when done twice
};

struct Request {
    std::string method;
    std::string path;  // with the query
    std::string body = {};
    Repeat repeat = Repeat::harmless;

    bool writes() const { return method != "GET"; }
};

class Api {
  public:
    Api(EventLoop& loop, Access access, const KubernetesConfig& config);

    // Errors: not_found, conflict, denied, invalid as the API says; unavailable and timeout with their
    // certainty. Ends without resuming its caller when the Api is destroyed.
    asio::awaitable<Result<JsonObject>> call(Request request, Instant deadline);
    [[nodiscard]] std::unique_ptr<HttpStream> stream(const std::string& path, Instant deadline,
                                                     HttpClient::OnChunk on_chunk,
                                                     std::move_only_function<void(Result<void>)> on_end);
    asio::awaitable<void> sleep_until(Instant when);

    const std::string& name_space() const { return access_.namespace_; }
    std::string describe() const;

    // After each attempt: whether the API did its work, and when it was asked.
    std::function<void(bool, Instant)> on_answer;

  private:
    struct Progress;

    asio::awaitable<Result<HttpClientResponse>> attempt(const Request& request, Instant until);
    asio::awaitable<void> look_for_servers(Instant deadline);
    void refresh_credentials(bool now);
    void leave(const std::string& server);
    Error refusal(const Request& request, const HttpClientResponse& response) const;
    bool temporary(int status) const;
    HttpHeaders headers(const Request& request) const;

    EventLoop& loop_;
    Access access_;
    std::string service_;  // the address that is known from the start
    std::vector<int> retriable_;
    bool bypass_;
    std::size_t current_ = 0;
    Instant credentials_read_;
    Instant servers_read_;
    std::string authority_;  // what the CA file held
    HttpClient client_;
    Scope scope_;
};

}  // namespace pgherd::kube
