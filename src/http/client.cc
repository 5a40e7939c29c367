#include "http/client.h"

#include <set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/text.h"
#include "eventloop/spawn.h"
#include "http/exchange.h"

namespace pgherd {

namespace {

// A header must not end its line early, and smuggle in another one.
bool clean(const HttpHeaders& headers) {
    for (const auto& [name, value] : headers)
        if (name.find_first_of("\r\n:") != std::string::npos ||
            value.find_first_of("\r\n") != std::string::npos)
            return false;
    return true;
}

class StreamHandle final : public HttpStream {
  public:
    explicit StreamHandle(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
    ~StreamHandle() override {
        if (exchange_) exchange_->abandon();  // none for a URL that is refused
    }

  private:
    std::shared_ptr<Exchange> exchange_;
};

}  // namespace

struct HttpClient::Core {
    std::shared_ptr<ConnectionPool> pool;
    std::set<std::shared_ptr<Exchange>> under_way;
    bool closed = false;

    // Runs it and calls `done`, unless the client has gone or the exchange was abandoned.
    static asio::awaitable<void> perform(std::shared_ptr<Core> self, std::shared_ptr<Exchange> exchange,
                                         Done<HttpClientResponse> done) {
        co_await asio::post(self->pool->loop.context(), asio::use_awaitable);
        Result<HttpClientResponse> response;
        if (!exchange->abandoned()) response = co_await exchange->run();
        self->under_way.erase(exchange);
        if (!self->closed && !exchange->abandoned()) done(std::move(response));
    }
    // What is more than an ordinary request.
    struct Extra {
        OnChunk on_chunk;
        OnHead on_head;
        HttpBodySource body_source;
    };
    static std::shared_ptr<Exchange> start(const std::shared_ptr<Core>& self, std::string method,
                                           const std::string& url, HttpHeaders headers, std::string body,
                                           Instant deadline, Extra extra, Done<HttpClientResponse> done);
};

std::shared_ptr<Exchange> HttpClient::Core::start(const std::shared_ptr<Core>& self, std::string method,
                                                  const std::string& url, HttpHeaders headers,
                                                  std::string body, Instant deadline, Extra extra,
                                                  Done<HttpClientResponse> done) {
    Result<Url> parsed = parse_url(url);
    if (parsed && !clean(headers))
        parsed = fail(ErrorCode::invalid, "cannot send a header with a line break");
    if (!parsed) {
        auto refuse = [self, done = std::move(done), error = parsed.error()]() mutable {
            if (!self->closed) done(std::unexpected(std::move(error)));
        };
        self->pool->loop.post(std::move(refuse));
        return nullptr;
    }
    auto exchange = std::make_shared<Exchange>(self->pool, std::move(method), std::move(*parsed),
                                               std::move(headers), std::move(body), deadline);
    exchange->on_chunk = std::move(extra.on_chunk);
    exchange->on_head = std::move(extra.on_head);
    exchange->body_source = std::move(extra.body_source);
    self->under_way.insert(exchange);
    spawn(self->pool->loop, perform(self, exchange, std::move(done)));
    return exchange;
}

HttpClient::HttpClient(EventLoop& loop, HttpClientOptions options) : core_(std::make_shared<Core>()) {
    core_->pool = std::make_shared<ConnectionPool>(loop, std::move(options));
}

HttpClient::~HttpClient() {
    core_->closed = true;
    core_->pool->clear();
    for (const auto& exchange : core_->under_way) exchange->abandon();
}

void HttpClient::request(std::string method, std::string url, HttpHeaders headers, std::string body,
                         Instant deadline, Done<HttpClientResponse> done) {
    Core::start(core_, std::move(method), url, std::move(headers), std::move(body), deadline, {},
                std::move(done));
}

void HttpClient::upload(std::string method, std::string url, HttpHeaders headers, HttpBodySource body,
                        Instant deadline, Done<HttpClientResponse> done) {
    Core::start(core_, std::move(method), url, std::move(headers), {}, deadline,
                {.on_chunk = {}, .on_head = {}, .body_source = std::move(body)}, std::move(done));
}

std::unique_ptr<HttpStream> HttpClient::stream(std::string method, std::string url, HttpHeaders headers,
                                               std::string body, Instant deadline, OnChunk on_chunk,
                                               Done<HttpClientResponse> on_end, OnHead on_head) {
    auto exchange =
        Core::start(core_, std::move(method), url, std::move(headers), std::move(body), deadline,
                    {.on_chunk = std::move(on_chunk), .on_head = std::move(on_head), .body_source = {}},
                    std::move(on_end));
    return std::make_unique<StreamHandle>(std::move(exchange));
}

void HttpClient::set_tls(TlsFiles tls) {
    core_->pool->options.tls = std::move(tls);
    core_->pool->clear();
}

std::pair<std::string, std::string> basic_authorization(std::string_view username,
                                                        std::string_view password) {
    return {"Authorization", "Basic " + base64_encode(std::string(username) + ":" + std::string(password))};
}

}  // namespace pgherd
