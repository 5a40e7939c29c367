// Finds the endpoint of a request, asks whether the caller may use it, and has it answered.
//
// A handler that fails by an exception costs its request (500) and nothing else.
#pragma once

#include <memory>
#include <vector>

#include "supervisor/password_cache.h"
#include "supervisor/route.h"

namespace pgherd::supervisor {

class Router {
  public:
    Router(Daemon& daemon, std::vector<Route> routes) : daemon_(daemon), routes_(std::move(routes)) {}

    boost::asio::awaitable<void> serve(std::shared_ptr<ServerExchange> exchange);

  private:
    struct Found {
        const Route* route = nullptr;
        bool path_exists = false;
        PathParameters parameters;
    };
    Found find(const HttpRequest& request) const;
    Caller caller_of(const HttpRequest& request);
    boost::asio::awaitable<void> serve_value(std::shared_ptr<ServerExchange> exchange, const Route& route,
                                             ApiRequest request);
    boost::asio::awaitable<void> serve_later(std::shared_ptr<ServerExchange> exchange, LaterHandler handler,
                                             ApiRequest request);
    boost::asio::awaitable<void> serve_stream(std::shared_ptr<ServerExchange> exchange, StreamHandler handler,
                                              PathParameters parameters);
    void report(const HttpRequest& request, std::string_view what);

    Daemon& daemon_;
    std::vector<Route> routes_;
    PasswordCache passwords_;
};

}  // namespace pgherd::supervisor
