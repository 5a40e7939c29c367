// What an endpoint is: a method, a path, who may use it, and how it answers.
//
// Three kinds of handlers. A value handler answers at once; a later one may take its time (a long poll) and
// says how to give up when the client has gone; a stream handler has the exchange for itself. None may block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "http/server_exchange.h"
#include "ports/http.h"
#include "supervise/identities.h"

namespace pgherd::supervisor {

class Daemon;

enum class Need : std::uint8_t { open, user, admin, metrics };

struct Caller {
    supervise::Access access = supervise::Access::untrusted;
    std::optional<std::uint32_t> user;  // of the unix socket's peer
    bool unix_socket = false;
};
bool may(const Caller& caller, Need need);

using PathParameters = std::vector<std::string>;  // what stood for {…}, in order

struct ApiRequest {
    const HttpRequest& http;
    std::string body;
    PathParameters path;
    Caller caller;
};

using Respond = std::function<void(HttpResponse)>;
using GiveUp = std::move_only_function<void()>;  // may be empty
using ValueHandler = HttpResponse (*)(Daemon&, ApiRequest&);
using LaterHandler = GiveUp (*)(Daemon&, ApiRequest&, Respond);
using StreamHandler = boost::asio::awaitable<void> (*)(Daemon&, std::shared_ptr<ServerExchange>,
                                                       PathParameters);

struct Route {
    std::string_view method;
    std::string_view path;  // "/v1/changes/{id}"
    Need need = Need::admin;
    std::variant<ValueHandler, LaterHandler, StreamHandler> handler;
    std::size_t max_body = 1024 * 1024;
};

// "a,b" and repeated parameters, empty ones dropped.
std::vector<std::string> list_parameter(const HttpRequest& request, std::string_view name);

}  // namespace pgherd::supervisor
