#include "base/write_line.h"

#include <poll.h>
#include <unistd.h>

namespace pgherd {

bool write_line(int descriptor, std::string_view line) {
    pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return false;
    return ::write(descriptor, line.data(), line.size()) >= 0;
}

}  // namespace pgherd
