#include "http/server.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/resource.h>

#include "eventloop/spawn.h"
#include "http/listeners.h"
#include "http/server_connection.h"

namespace pgherd {

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr Duration kSweep = std::chrono::seconds(1);
constexpr std::size_t kReservedDescriptors = 256;  // for the store, PostgreSQL, files
constexpr std::uint64_t kAnySize = 0;
constexpr std::initializer_list<ConnectionPhase> kExpendable{ConnectionPhase::idle, ConnectionPhase::idle_tls,
                                                             ConnectionPhase::reading};

// The number of connections that leaves the rest of the process enough descriptors.
std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 512;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
        ::getrlimit(RLIMIT_NOFILE, &limit);
    }
    const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
    return descriptors - std::min(kReservedDescriptors, descriptors / 2);
}

bool out_of_resources(error_code error) {
    return error == asio::error::no_descriptors || error == asio::error::no_buffer_space ||
           error == asio::error::no_memory || error == boost::system::errc::too_many_files_open_in_system;
}

}  // namespace

struct HttpServer::Core : std::enable_shared_from_this<Core> {
    Core(EventLoop& event_loop, HttpServerOptions given, ServerExchangeHandler handler,
         std::uint64_t max_body)
        : loop(event_loop),
          options(std::move(given)),
          setting(std::make_shared<ConnectionSetting>(ConnectionSetting{
              .handler = std::move(handler),
              .table = ConnectionTable({options.idle_timeout, options.idle_timeout, options.request_timeout,
                                        Duration{}, options.answer_timeout}),
              .max_header = options.max_header,
              .max_body = max_body,
              .max_tls_connections = options.max_tls_connections,
              .tls = nullptr})) {}

    Status open();
    static asio::awaitable<void> accept(std::shared_ptr<Core> self, StreamAcceptor& acceptor);
    void admit(StreamSocket socket);
    void sweep_later();

    EventLoop& loop;
    HttpServerOptions options;
    std::shared_ptr<ConnectionSetting> setting;
    std::vector<StreamAcceptor> acceptors;
    std::optional<SocketFile> socket_file;
    std::size_t max_connections = 0;
    Timer sweep;
};

Status HttpServer::Core::open() {
    if (!options.tls.cert_file.empty()) {
        PGHERD_TRY(setting->tls, server_tls(options.tls, options.verify_client));
    }
    max_connections = raise_descriptor_limit();
    if (options.max_connections > 0) max_connections = std::min(max_connections, options.max_connections);
    PGHERD_TRY(acceptors, open_listeners(loop.context(), options));
    if (!options.unix_socket.empty()) socket_file.emplace(options.unix_socket);
    for (StreamAcceptor& acceptor : acceptors) spawn(loop, accept(shared_from_this(), acceptor));
    return {};
}

asio::awaitable<void> HttpServer::Core::accept(std::shared_ptr<Core> self, StreamAcceptor& acceptor) {
    asio::steady_timer pause(self->loop.context());
    while (!self->setting->stopped) {
        auto [error, socket] = co_await acceptor.async_accept(kNoThrow);
        if (self->setting->stopped) break;
        if (!error) {
            self->admit(std::move(socket));
        } else if (!out_of_resources(error) || !self->setting->table.abort_oldest(kExpendable)) {
            pause.expires_after(std::chrono::milliseconds(100));
            co_await pause.async_wait(kNoThrow);
        }
    }
}

void HttpServer::Core::admit(StreamSocket socket) {
    if (setting->table.size() >= max_connections) setting->table.abort_oldest(kExpendable);
    if (setting->table.size() >= max_connections + kReservedDescriptors / 4) return;  // nothing was idle
    auto connection = std::make_shared<ServerConnection>(setting, std::move(socket));
    spawn(loop, ServerConnection::serve(std::move(connection)));
    if (!sweep) sweep_later();
}

void HttpServer::Core::sweep_later() {
    sweep = loop.clock().call_at(loop.clock().now() + kSweep, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->setting->table.abort_overdue(self->loop.clock().now());
        self->sweep.reset();
        if (self->setting->table.size() > 0) self->sweep_later();
    });
}

HttpServer::HttpServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(EventLoop& loop, HttpServerOptions options,
                                                       HttpHandler handler) {
    const std::size_t max_body = options.max_body;
    auto serve = [handler = std::move(handler), max_body](std::shared_ptr<ServerExchange> exchange) {
        return serve_values(std::move(exchange), handler, max_body);
    };
    return open(std::make_shared<Core>(loop, std::move(options), std::move(serve), max_body));
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(EventLoop& loop, HttpServerOptions options,
                                                       ServerExchangeHandler handler) {
    return open(std::make_shared<Core>(loop, std::move(options), std::move(handler), kAnySize));
}

Result<std::unique_ptr<HttpServer>> HttpServer::open(std::shared_ptr<Core> core) {
    PGHERD_CHECK(core->open());
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

HttpServer::~HttpServer() {
    core_->setting->stopped = true;
    core_->sweep.reset();
    core_->socket_file.reset();
    error_code ignored;
    for (StreamAcceptor& acceptor : core_->acceptors) acceptor.close(ignored);
    core_->setting->table.abort_all();
}

std::uint16_t HttpServer::port() const {
    error_code error;
    const auto local = core_->acceptors.front().local_endpoint(error);
    if (error || core_->socket_file) return 0;
    tcp::endpoint endpoint;
    endpoint.resize(local.size());
    std::memcpy(endpoint.data(), local.data(), local.size());
    return endpoint.port();
}

std::size_t HttpServer::connections() const {
    return core_->setting->table.size();
}

Status HttpServer::reload_tls(const TlsFiles& files, const std::string& verify_client) {
    if (files.cert_file.empty() == static_cast<bool>(core_->setting->tls))
        return fail(ErrorCode::conflict, "cannot change between http and https without a restart");
    if (files.cert_file.empty()) return {};
    PGHERD_TRY(core_->setting->tls, server_tls(files, verify_client));
    return {};
}

}  // namespace pgherd
