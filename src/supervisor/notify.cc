#include "supervisor/notify.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::supervisor {

void notify_manager(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (!path || !*path || std::strlen(path) >= sizeof address.sun_path) return;
    const std::size_t length = std::strlen(path);
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract name space
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) return;
    static_cast<void>(::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL,
                               reinterpret_cast<const sockaddr*>(&address),
                               static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length)));
    ::close(socket);
}

Watchdog::Watchdog(Clock& clock) : clock_(clock) {
    const char* interval = std::getenv("WATCHDOG_USEC");
    const auto microseconds = parse_uint(interval ? interval : "");
    if (!microseconds || *microseconds == 0) return;
    every_ = std::chrono::microseconds(*microseconds) / 2;
    ping();
}

void Watchdog::ping() {
    notify_manager("WATCHDOG=1");
    timer_ = clock_.call_at(clock_.now() + every_, [this] { ping(); });
}

}  // namespace pgherd::supervisor
