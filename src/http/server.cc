#include "http/server.h"

#include <algorithm>
#include <list>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "http/server_connection.h"

namespace pgherd {

namespace {

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr Duration kSweep = std::chrono::seconds(1);
constexpr std::size_t kReservedDescriptors = 256;  // for the store, PostgreSQL, files
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

Result<std::vector<tcp::endpoint>> listen_addresses(asio::io_context& context, const Endpoint& where) {
    if (where.host.empty() || where.host == "*")
        return std::vector<tcp::endpoint>{{asio::ip::address_v6::any(), where.port}};
    error_code error;
    if (const auto address = asio::ip::make_address(where.host, error); !error)
        return std::vector<tcp::endpoint>{{address, where.port}};
    tcp::resolver resolver(context);
    const auto found = resolver.resolve(where.host, std::to_string(where.port), error);
    if (error)
        return fail(ErrorCode::invalid,
                    fmt::format("cannot resolve \"{}\": {}", where.host, error.message()));
    std::vector<tcp::endpoint> addresses;
    for (const auto& entry : found) addresses.push_back(entry.endpoint());
    return addresses;
}

bool out_of_resources(error_code error) {
    return error == asio::error::no_descriptors || error == asio::error::no_buffer_space ||
           error == asio::error::no_memory || error == boost::system::errc::too_many_files_open_in_system;
}

}  // namespace

struct HttpServer::Core : std::enable_shared_from_this<Core> {
    Core(EventLoop& event_loop, HttpServerOptions given, HttpHandler handler)
        : loop(event_loop),
          options(std::move(given)),
          setting(std::make_shared<ConnectionSetting>(ConnectionSetting{
              .handler = std::move(handler),
              .table = ConnectionTable({options.idle_timeout, options.idle_timeout, options.request_timeout,
                                        Duration{}, options.answer_timeout}),
              .max_header = options.max_header,
              .max_body = options.max_body,
              .max_tls_connections = options.max_tls_connections,
              .tls = nullptr})) {}

    Status open();
    Status open_one(const tcp::endpoint& address, bool both_families);
    static asio::awaitable<void> accept(std::shared_ptr<Core> self, tcp::acceptor& acceptor);
    void admit(tcp::socket socket);
    void sweep_later();

    EventLoop& loop;
    HttpServerOptions options;
    std::shared_ptr<ConnectionSetting> setting;
    std::list<tcp::acceptor> acceptors;
    std::size_t max_connections = 0;
    Timer sweep;
};

Status HttpServer::Core::open() {
    const auto where = [&] { return fmt::format("cannot listen on {}", to_string(options.listen)); };
    if (!options.tls.cert_file.empty()) {
        PGHERD_TRY(setting->tls, server_tls(options.tls, options.verify_client));
    }
    max_connections = raise_descriptor_limit();
    if (options.max_connections > 0) max_connections = std::min(max_connections, options.max_connections);
    const bool everywhere = options.listen.host.empty() || options.listen.host == "*";
    Result<std::vector<tcp::endpoint>> addresses = listen_addresses(loop.context(), options.listen);
    if (!addresses) return std::unexpected(with_context(addresses.error(), where()));
    Status last;
    for (const tcp::endpoint& address : *addresses) {
        last = open_one(address, everywhere);
        if (!last && everywhere) last = open_one({tcp::v4(), options.listen.port}, false);
    }
    if (acceptors.empty()) return std::unexpected(with_context(last.error(), where()));
    for (tcp::acceptor& acceptor : acceptors)
        asio::co_spawn(loop.context(), accept(shared_from_this(), acceptor), asio::detached);
    return {};
}

Status HttpServer::Core::open_one(const tcp::endpoint& address, bool both_families) {
    tcp::acceptor acceptor(loop.context());
    error_code error;
    acceptor.open(address.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && address.address().is_v6()) acceptor.set_option(asio::ip::v6_only(!both_families), error);
    if (!error) acceptor.bind(address, error);
    if (!error) acceptor.listen(4096, error);
    if (error) return fail(ErrorCode::unavailable, error.message());
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    acceptors.push_back(std::move(acceptor));
    return {};
}

asio::awaitable<void> HttpServer::Core::accept(std::shared_ptr<Core> self, tcp::acceptor& acceptor) {
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

void HttpServer::Core::admit(tcp::socket socket) {
    if (setting->table.size() >= max_connections) setting->table.abort_oldest(kExpendable);
    if (setting->table.size() >= max_connections + kReservedDescriptors / 4) return;  // nothing was idle
    auto connection = std::make_shared<ServerConnection>(setting, std::move(socket));
    asio::co_spawn(loop.context(), ServerConnection::serve(std::move(connection)), asio::detached);
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
    auto core = std::make_shared<Core>(loop, std::move(options), std::move(handler));
    PGHERD_CHECK(core->open());
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

HttpServer::~HttpServer() {
    core_->setting->stopped = true;
    core_->sweep.reset();
    error_code ignored;
    for (tcp::acceptor& acceptor : core_->acceptors) acceptor.close(ignored);
    core_->setting->table.abort_all();
}

std::uint16_t HttpServer::port() const {
    error_code ignored;
    return core_->acceptors.front().local_endpoint(ignored).port();
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
