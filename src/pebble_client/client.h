// Pebble's API over its unix socket, one question at a time: every call runs the event loop until it has its
// answer.
//
// For programs that ask and end (the command line, a benchmark), not for a daemon: a call blocks whatever
// else the loop would do, except its signals and timers. `interrupt` ends the call that is under way. Reading
// calls are repeated for a few seconds while nobody listens, because a container's first command often comes
// before its supervisor.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/client.h"
#include "pebble_client/answer.h"

namespace pgherd::pebble {

struct ClientOptions {
    std::string socket;
    Duration patience = std::chrono::seconds(5);   // for a socket that nobody listens on, when reading
    Duration deadline = std::chrono::seconds(60);  // of one request
};

class Client {
  public:
    Client(EventLoop& loop, ClientOptions options);

    Result<Answer> get(std::string_view path, const Query& query = {});
    Result<Answer> post(std::string_view path, const Json& body);
    // `deadline` is how much longer than usual the answer may take.
    Result<Answer> long_poll(std::string_view path, const Query& query, Duration deadline);
    // Until the change is ready. Its own error (`err`) is not an error of this call. When it takes longer
    // than two seconds, `meanwhile` is given the change a few times a second.
    using Meanwhile = std::function<void(const JsonObject& change)>;
    Result<JsonObject> wait_change(const std::string& id, const Meanwhile& meanwhile = {});
    Result<JsonObject> change(const std::string& id);
    // The body of a 2xx answer piece by piece, for as long as it lasts.
    Status stream(std::string_view path, const Query& query, HttpHeaders headers,
                  HttpClient::OnChunk on_chunk, HttpClient::OnHead on_head = {});
    // A body of any size, asked for piece by piece.
    Result<Answer> upload(std::string_view path, HttpHeaders headers, HttpBodySource body);

    // From a handler of the loop: the call under way ends with an error (cancelled).
    void interrupt() { interrupted_ = true; }
    bool interrupted() const { return interrupted_; }
    void forget_interrupt() { interrupted_ = false; }

    // Runs the loop until `condition` or an interrupt; false: interrupted, or `limit` has passed.
    bool run_until(const std::function<bool()>& condition, Duration limit = std::chrono::hours(24 * 365));
    EventLoop& loop() { return loop_; }
    const std::string& socket() const { return options_.socket; }

  private:
    using Begin = std::function<void(Done<HttpClientResponse>)>;
    Result<HttpClientResponse> ask(const Begin& begin, Duration limit);
    Error unreachable(Error why) const;
    Instant in(Duration duration) { return loop_.clock().now() + duration; }

    EventLoop& loop_;
    ClientOptions options_;
    HttpClient http_;
    bool interrupted_ = false;
};

}  // namespace pgherd::pebble
