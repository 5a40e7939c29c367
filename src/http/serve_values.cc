// A handler of values (ports/http.h) on an exchange that streams.
#include <optional>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "eventloop/wakeup.h"
#include "http/server_exchange.h"

namespace pgherd {

namespace asio = boost::asio;

namespace {

// The answer and the wait for it. It lives as long as the coroutine, the Responder only looks at it.
struct Awaited {
    explicit Awaited(const asio::any_io_executor& executor) : arrived(executor) {}
    Wakeup arrived;
    std::optional<HttpResponse> response;
};

// A handler that drops its responder has answered too: the client must not wait for ever.
class Responder {
  public:
    explicit Responder(const std::shared_ptr<Awaited>& awaited) : awaited_(awaited) {}
    Responder(Responder&& other) noexcept : awaited_(std::exchange(other.awaited_, {})) {}
    Responder& operator=(Responder&&) = delete;
    ~Responder() { answer({500, "the request was dropped\n", "text/plain", {}}); }

    void operator()(HttpResponse response) {
        answer(std::move(response));
        awaited_.reset();
    }

  private:
    void answer(HttpResponse response) {
        const auto awaited = awaited_.lock();
        if (!awaited) return;
        awaited->response = std::move(response);
        awaited->arrived.notify();
    }
    std::weak_ptr<Awaited> awaited_;
};

}  // namespace

asio::awaitable<void> serve_values(std::shared_ptr<ServerExchange> exchange, const HttpHandler& handler,
                                   std::size_t max_body) {
    Result<std::string> body = co_await exchange->read_all(max_body);
    if (!body || exchange->gone()) co_return;
    exchange->request().body = std::move(*body);
    const auto awaited = std::make_shared<Awaited>(co_await asio::this_coro::executor);
    handler(std::move(exchange->request()), Responder(awaited));
    if (!awaited->response)
        exchange->on_gone([weak = std::weak_ptr(awaited)] {
            if (const auto alive = weak.lock()) alive->arrived.notify();
        });
    while (!awaited->response && !exchange->gone()) co_await awaited->arrived.wait();
    if (awaited->response) co_await exchange->answer(std::move(*awaited->response));
}

}  // namespace pgherd
