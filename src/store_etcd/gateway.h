// Calls to etcd's JSON gateway.
//
// One endpoint is in use until it fails; then the next one is tried, within the call's deadline, as long as
// the call cannot have been done or may be done twice. When all have failed once, the call fails: how long to
// go on is the caller's to say. User and password become a token at the first call and again when etcd has
// forgotten it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/scope.h"
#include "http/client.h"
#include "model/agent_config.h"
#include "model/member.h"
#include "store_etcd/messages.h"

namespace pgherd::etcd {

enum class Repeat {
    never,     // only when it certainly was not done
    harmless,  // what changes nothing when done twice
    reading    // what changes nothing at all
};

class Gateway {
  public:
    Gateway(EventLoop& loop, const StoreConfig& config);

    // `path` without the version: "/kv/range". Gives the body of a good answer.
    void call(std::string path, std::string body, Repeat repeat, Instant deadline, Done<JsonObject> done);
    // At the endpoint in use, with the token in use. An error of etcd's becomes an error of `on_end`, which
    // gets the end of the stream as an error as well.
    [[nodiscard]] std::unique_ptr<HttpStream> stream(const std::string& path, std::string body,
                                                     Instant deadline, HttpClient::OnChunk on_chunk,
                                                     std::move_only_function<void(Error)> on_end);
    std::string describe() const;

    // Another endpoint is in use now.
    std::function<void()> on_moved;

  private:
    struct Call;
    using CallPtr = std::shared_ptr<Call>;

    void attempt(CallPtr call);
    void log_in(CallPtr call);
    void send(CallPtr call);
    void probe_version(CallPtr call);
    void answered(CallPtr call, std::size_t endpoint, Result<HttpClientResponse> response);
    void refused(CallPtr call, std::size_t endpoint, const HttpClientResponse& response);
    void failed(CallPtr call, std::size_t endpoint, Error error);
    void leave(std::size_t endpoint);
    HttpHeaders headers(bool with_token) const;
    std::string url(std::size_t endpoint, std::string_view path) const;
    bool must_log_in() const { return !username_.empty() && token_.empty() && !no_authentication_; }

    EventLoop& loop_;
    std::vector<Endpoint> endpoints_;
    bool https_;
    std::string username_;
    std::string password_;
    std::size_t current_ = 0;
    std::string version_ = "/v3";
    std::string token_;
    bool no_authentication_ = false;  // etcd said that it is switched off
    HttpClient client_;
    Scope scope_;
};

}  // namespace pgherd::etcd
