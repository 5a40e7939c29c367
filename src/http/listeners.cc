#include "http/listeners.h"

#include <chrono>
#include <cstring>
#include <thread>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace pgherd {

namespace {

constexpr int kBacklog = 4096;

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

Result<StreamAcceptor> listen_on(asio::io_context& context, const tcp::endpoint& address,
                                 bool both_families) {
    StreamAcceptor acceptor(context);
    error_code error;
    acceptor.open(address.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && address.address().is_v6()) acceptor.set_option(asio::ip::v6_only(!both_families), error);
    if (!error) acceptor.bind(address, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error) return fail(ErrorCode::unavailable, error.message());
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    return acceptor;
}

Result<std::vector<StreamAcceptor>> listen_on_tcp(asio::io_context& context, const Endpoint& where) {
    const bool everywhere = where.host.empty() || where.host == "*";
    PGHERD_TRY(const std::vector<tcp::endpoint> addresses, listen_addresses(context, where));
    std::vector<StreamAcceptor> acceptors;
    Error last;
    for (const tcp::endpoint& address : addresses) {
        Result<StreamAcceptor> one = listen_on(context, address, everywhere);
        if (!one && everywhere) one = listen_on(context, {tcp::v4(), where.port}, false);
        if (one)
            acceptors.push_back(std::move(*one));
        else
            last = one.error();
    }
    if (acceptors.empty()) return std::unexpected(last);
    return acceptors;
}

bool accepts(const std::string& path) {
    asio::io_context context;
    asio::local::stream_protocol::socket probe(context);
    error_code error;
    probe.connect(asio::local::stream_protocol::endpoint(path), error);
    return !error || error == asio::error::would_block || error == asio::error::try_again;
}

// A socket of a process that has ended stays in the file system, and refuses; but not at once, when the
// process was killed while it started a child, which has the socket too until it runs its program.
bool somebody_answers(const std::string& path) {
    constexpr int kTries = 20;
    for (int left = kTries; accepts(path); --left) {
        if (left == 0) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
}

Result<StreamAcceptor> listen_on_path(asio::io_context& context, const std::string& path, unsigned mode) {
    if (path.size() >= sizeof(sockaddr_un::sun_path))
        return fail(ErrorCode::invalid,
                    fmt::format("the path has more than {} characters", sizeof(sockaddr_un::sun_path) - 1));
    struct stat there{};
    if (::lstat(path.c_str(), &there) == 0) {
        if (!S_ISSOCK(there.st_mode)) return fail(ErrorCode::conflict, "there is a file that is no socket");
        if (somebody_answers(path))
            return fail(ErrorCode::conflict, fmt::format("socket \"{}\" already in use", path));
        ::unlink(path.c_str());
    }
    StreamAcceptor acceptor(context);
    error_code error;
    acceptor.open(asio::local::stream_protocol(), error);
    if (!error) acceptor.bind(asio::local::stream_protocol::endpoint(path), error);
    // Nobody can connect before listen, so nobody meets another mode.
    if (!error && ::chmod(path.c_str(), mode) != 0) error.assign(errno, boost::system::system_category());
    if (!error) acceptor.listen(kBacklog, error);
    if (error) return fail(ErrorCode::unavailable, error.message());
    ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    return acceptor;
}

}  // namespace

Result<std::vector<StreamAcceptor>> open_listeners(asio::io_context& context,
                                                   const HttpServerOptions& options) {
    if (!options.unix_socket.empty()) {
        Result<StreamAcceptor> one = listen_on_path(context, options.unix_socket, options.socket_mode);
        if (!one)
            return std::unexpected(
                with_context(one.error(), fmt::format("cannot listen on {}", options.unix_socket)));
        std::vector<StreamAcceptor> all;
        all.push_back(std::move(*one));
        return all;
    }
    Result<std::vector<StreamAcceptor>> acceptors = listen_on_tcp(context, options.listen);
    if (!acceptors)
        return std::unexpected(
            with_context(acceptors.error(), fmt::format("cannot listen on {}", to_string(options.listen))));
    return acceptors;
}

SocketFile::SocketFile(const std::string& path) : path_(path) {
    struct stat there{};
    if (::lstat(path_.c_str(), &there) != 0) return;
    device_ = there.st_dev;
    inode_ = there.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

SocketFile::~SocketFile() {
    struct stat there{};
    if (!path_.empty() && ::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ &&
        there.st_ino == inode_)
        ::unlink(path_.c_str());
}

}  // namespace pgherd
