#include "local/tcp_ports.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::local {
namespace {

namespace fs = std::filesystem;

// The socket's inode of a listener, from /proc/net/tcp: columns are blank separated, "0100007F:1538" is the
// address and 0A the state of listening.
std::string listening_inode(const char* table, std::uint16_t port) {
    std::ifstream file(table);
    std::string suffix = fmt::format(":{:04X}", port);
    for (std::string line; std::getline(file, line);) {
        std::vector<std::string> columns;
        for (const std::string& word : split(line, ' '))
            if (!word.empty()) columns.push_back(word);
        if (columns.size() > 9 && columns[1].ends_with(suffix) && columns[3] == "0A") return columns[9];
    }
    return {};
}

bool holds_socket(const fs::path& process, const std::string& inode) {
    std::error_code ignored;
    std::string wanted = "socket:[" + inode + "]";
    for (fs::directory_iterator it(process / "fd", ignored), end; it != end; it.increment(ignored))
        if (fs::read_symlink(it->path(), ignored) == wanted) return true;
    return false;
}

std::string describe_busy(std::uint16_t port) {
    std::string holder = port_holder(port);
    return holder.empty() ? fmt::format("port {} is in use", port)
                          : fmt::format("port {} is in use by {}", port, holder);
}

std::vector<std::uint16_t> block(std::uint16_t first, int count) {
    std::vector<std::uint16_t> ports;
    for (int i = 0; i < count && first + i <= 65535; ++i) ports.push_back(std::uint16_t(first + i));
    return ports;
}

std::optional<std::uint16_t> first_busy(const std::vector<std::uint16_t>& ports,
                                        const std::vector<std::uint16_t>& avoid) {
    auto busy = std::ranges::find_if(
        ports, [&](std::uint16_t port) { return std::ranges::count(avoid, port) || !port_is_free(port); });
    return busy == ports.end() ? std::nullopt : std::optional(*busy);
}

Result<PortChoice> check_given(const PortWish& wish, int count, const std::vector<std::uint16_t>& avoid) {
    auto ports = wish.given.size() == 1 ? block(wish.given[0], count) : wish.given;
    if (int(ports.size()) != count)
        return fail(ErrorCode::invalid,
                    fmt::format("{}: {} ports for {} members", wish.option, ports.size(), count));
    for (std::uint16_t port : ports)
        if (std::ranges::count(avoid, port))
            return fail(ErrorCode::invalid, fmt::format("{}: port {} is named twice", wish.option, port));
    if (auto busy = first_busy(ports, {}))
        return fail(ErrorCode::conflict, fmt::format("{}: {}", wish.option, describe_busy(*busy)));
    return PortChoice{ports, {}};
}

}  // namespace

bool port_is_free(std::uint16_t port) {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return free;
}

std::string port_holder(std::uint16_t port) {
    std::string inode = listening_inode("/proc/net/tcp", port);
    if (inode.empty()) inode = listening_inode("/proc/net/tcp6", port);
    if (inode.empty()) return {};
    std::error_code ignored;
    for (fs::directory_iterator it("/proc", ignored), end; it != end; it.increment(ignored)) {
        std::string pid = it->path().filename();
        if (!parse_uint(pid) || !holds_socket(it->path(), inode)) continue;
        std::string name;
        std::getline(std::ifstream(it->path() / "comm"), name);
        return fmt::format("{} (pid {})", name, pid);
    }
    return {};
}

Result<PortChoice> choose_ports(const PortWish& wish, int count, const std::vector<std::uint16_t>& avoid) {
    if (!wish.given.empty()) return check_given(wish, count, avoid);
    auto usual = wish.remembered;
    if (usual.empty()) usual = block(wish.first, count);
    for (auto next = usual.back(); int(usual.size()) < count && next < 65535;)
        if (++next; !std::ranges::count(usual, next)) usual.push_back(next);
    auto busy = first_busy(usual, avoid);
    if (!busy && int(usual.size()) == count) return PortChoice{usual, {}};
    std::string why = !busy ? fmt::format("there is no port after {}", usual.back())
                      : std::ranges::count(avoid, *busy) ? fmt::format("port {} is needed twice", *busy)
                                                         : describe_busy(*busy);
    for (std::uint16_t first = wish.first; first + count <= 65535; ++first) {
        auto ports = block(first, count);
        if (auto taken = first_busy(ports, avoid)) {
            first = *taken;
            continue;
        }
        return PortChoice{ports, fmt::format("{}, so it is {} to {} ({} chooses others)", why, ports.front(),
                                             ports.back(), wish.option)};
    }
    return fail(ErrorCode::unavailable,
                fmt::format("there are no {} free ports from {} on", count, wish.first));
}

}  // namespace pgherd::local
