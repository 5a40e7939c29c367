#include "supervisor/router.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "supervise/go_text.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"

namespace pgherd::supervisor {

namespace asio = boost::asio;

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kInternalError = "internal error; the supervisor's log says more";

// Whether `path` has the form of `pattern`; what stands for {…} goes to `parameters`.
bool matches(std::string_view pattern, std::string_view path, PathParameters* parameters) {
    while (true) {
        const std::size_t brace = pattern.find('{');
        if (brace == std::string_view::npos) return pattern == path;
        if (path.substr(0, brace) != pattern.substr(0, brace)) return false;
        path.remove_prefix(brace);
        pattern.remove_prefix(pattern.find('}') + 1);
        const std::string_view value = path.substr(0, path.find('/'));
        if (value.empty()) return false;
        if (parameters) parameters->emplace_back(value);
        path.remove_prefix(value.size());
    }
}

struct Owed {
    explicit Owed(const asio::any_io_executor& executor)
        : arrived(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer arrived;  // cancelled when there is something to do
    std::optional<HttpResponse> response;
};

}  // namespace

bool may(const Caller& caller, Need need) {
    using supervise::Access;
    switch (need) {
        case Need::open: return true;
        case Need::user: return caller.unix_socket && caller.access >= Access::read;
        case Need::admin: return caller.unix_socket && caller.access == Access::admin;
        // In the clear only the identity that can do nothing else may send its password.
        case Need::metrics:
            return caller.unix_socket ? caller.access >= Access::metrics : caller.access == Access::metrics;
    }
    return false;
}

std::vector<std::string> list_parameter(const HttpRequest& request, std::string_view name) {
    std::vector<std::string> values;
    for (const auto& [key, value] : request.query) {
        if (key != name) continue;
        for (std::string& part : split(value, ','))
            if (!trim(part).empty()) values.emplace_back(trim(part));
    }
    return values;
}

Router::Found Router::find(const HttpRequest& request) const {
    Found found;
    for (const Route& route : routes_) {
        const bool same_method = route.method == request.method;
        if (found.path_exists && !same_method) continue;
        found.parameters.clear();
        if (!matches(route.path, request.path, &found.parameters)) continue;
        found.path_exists = true;
        if (!same_method) continue;
        found.route = &route;
        return found;
    }
    return found;
}

Caller Router::caller_of(const HttpRequest& request) {
    using supervise::Access;
    Caller caller;
    if (request.peer_process) {
        caller.unix_socket = true;
        caller.user = request.peer_process->uid;
        if (const auto* identity = daemon_.identities().for_user_id(request.peer_process->uid))
            caller.access = identity->access;
        else
            caller.access = *caller.user == 0 || *caller.user == ::geteuid() ? Access::admin : Access::read;
    }
    const auto header = request.headers.find("authorization");
    if (header == request.headers.end() || !iequals(std::string_view(header->second).substr(0, 6), "basic "))
        return caller;
    const auto decoded = base64_decode(trim(std::string_view(header->second).substr(6)));
    if (!decoded) return caller;
    const std::size_t colon = decoded->find(':');
    if (colon == std::string::npos) return caller;
    if (const auto* identity =
            passwords_.identity(daemon_.identities(), std::string_view(*decoded).substr(0, colon),
                                std::string_view(*decoded).substr(colon + 1), daemon_.clock().now()))
        caller.access = identity->access;
    return caller;
}

asio::awaitable<void> Router::serve(std::shared_ptr<ServerExchange> exchange) {
    Found found = find(exchange->request());
    if (!found.route) {
        co_await exchange->answer(
            found.path_exists
                ? error_answer(405, fmt::format("method {} not allowed",
                                                supervise::go_quote(exchange->request().method)))
                : error_answer(404, "invalid API endpoint requested"));
        co_return;
    }
    const Route& route = *found.route;
    Caller caller;
    if (route.need != Need::open) {
        caller = caller_of(exchange->request());
        if (!may(caller, route.need)) {
            co_await exchange->answer(error_answer(401, "access denied", "login-required"));
            co_return;
        }
    }
    if (const auto* stream = std::get_if<StreamHandler>(&route.handler)) {
        co_await serve_stream(std::move(exchange), *stream, std::move(found.parameters));
        co_return;
    }
    ApiRequest request{exchange->request(), {}, std::move(found.parameters), caller};
    if (route.method != "GET") {
        Result<std::string> body = co_await exchange->read_all(route.max_body);
        if (!body) co_return;
        request.body = std::move(*body);
    }
    if (const auto* later = std::get_if<LaterHandler>(&route.handler))
        co_await serve_later(std::move(exchange), *later, std::move(request));
    else
        co_await serve_value(std::move(exchange), route, std::move(request));
}

asio::awaitable<void> Router::serve_value(std::shared_ptr<ServerExchange> exchange, const Route& route,
                                          ApiRequest request) {
    HttpResponse response;
    try {
        response = std::get<ValueHandler>(route.handler)(daemon_, request);
        // What is acknowledged is in the state file.
        if (route.method != "GET") daemon_.settle();
    } catch (const std::exception& error) {
        report(request.http, error.what());
        response = error_answer(500, kInternalError);
    }
    co_await exchange->answer(std::move(response));
}

asio::awaitable<void> Router::serve_later(std::shared_ptr<ServerExchange> exchange, LaterHandler handler,
                                          ApiRequest request) {
    const auto owed = std::make_shared<Owed>(co_await asio::this_coro::executor);
    exchange->on_gone([owed] { owed->arrived.cancel(); });
    GiveUp give_up;
    try {
        give_up = handler(daemon_, request, [owed](HttpResponse response) {
            owed->response = std::move(response);
            owed->arrived.cancel();
        });
        daemon_.settle();
    } catch (const std::exception& error) {
        report(request.http, error.what());
        owed->response = error_answer(500, kInternalError);
    }
    while (!owed->response && !exchange->gone()) co_await owed->arrived.async_wait(kNoThrow);
    if (owed->response)
        co_await exchange->answer(std::move(*owed->response));
    else if (give_up)
        give_up();
}

asio::awaitable<void> Router::serve_stream(std::shared_ptr<ServerExchange> exchange, StreamHandler handler,
                                           PathParameters parameters) {
    std::string failure;
    try {
        co_await handler(daemon_, exchange, std::move(parameters));
    } catch (const std::exception& error) {
        failure = error.what();
    }
    if (!failure.empty()) report(exchange->request(), failure);
    daemon_.settle();
}

void Router::report(const HttpRequest& request, std::string_view what) {
    daemon_.log().error("request-failed", fmt::format("{} {}: {}", request.method, request.path, what));
}

}  // namespace pgherd::supervisor
