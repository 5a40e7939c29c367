#include "supervisor/api_server.h"

#include <fmt/format.h>

#include "supervisor/api.h"

namespace pgherd::supervisor {
namespace {

ServerExchangeHandler handler_of(std::shared_ptr<Router> router) {
    return [router = std::move(router)](std::shared_ptr<ServerExchange> exchange) {
        return router->serve(std::move(exchange));
    };
}

}  // namespace

ApiServer::ApiServer(Daemon& daemon) : router_(std::make_shared<Router>(daemon, all_routes())) {}

Result<std::unique_ptr<ApiServer>> ApiServer::listen(Daemon& daemon) {
    std::unique_ptr<ApiServer> server(new ApiServer(daemon));
    HttpServerOptions options;
    options.unix_socket = daemon.options().socket;
    PGHERD_TRY(server->unix_server_, HttpServer::listen(daemon.loop(), options, handler_of(server->router_)));
    PGHERD_CHECK(server->listen_on_tcp(daemon));
    return server;
}

Status ApiServer::listen_on_tcp(Daemon& daemon) {
    if (daemon.options().http.empty()) return {};
    HttpServerOptions options;
    PGHERD_TRY(options.listen,
               parse_endpoint(daemon.options().http.starts_with(':') ? "*" + daemon.options().http
                                                                     : daemon.options().http));
    PGHERD_TRY(tcp_server_, HttpServer::listen(daemon.loop(), options, handler_of(router_)));
    options.listen.port = tcp_server_->port();
    if (options.listen.host == "*") options.listen.host = "::";
    daemon.http_address = to_string(options.listen);
    return {};
}

}  // namespace pgherd::supervisor
