#include "guard/watchdog.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace pgherd::guard {

Status Watchdog::arm(Duration remaining) {
    if (mode_ == WatchdogMode::off) return {};
    if (auto armed = try_arm(remaining); !armed) {
        disarm();
        if (mode_ == WatchdogMode::required) return armed;
    }
    return {};
}

Status Watchdog::try_arm(Duration remaining) {
    if (fd_ < 0) fd_ = ::open(device_.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) return fail(fmt::format("cannot open watchdog {}: {}", device_, std::strerror(errno)));
    // One second on top, in which the guard itself kills the primary and closes the device.
    const auto wanted = std::chrono::ceil<std::chrono::seconds>(remaining).count() + 1;
    int seconds = static_cast<int>(std::clamp<std::int64_t>(wanted, 2, 3600));
    const int asked = seconds;
    if (::ioctl(fd_, WDIOC_SETTIMEOUT, &seconds) != 0)
        return fail(fmt::format("cannot set the timeout of watchdog {}: {}", device_, std::strerror(errno)));
    if (seconds > asked + 1)
        return fail(fmt::format("cannot use watchdog {}: its shortest timeout is {} s, {} s are needed",
                                device_, seconds, asked));
    if (::ioctl(fd_, WDIOC_KEEPALIVE, 0) != 0)
        return fail(fmt::format("cannot feed watchdog {}: {}", device_, std::strerror(errno)));
    return {};
}

void Watchdog::disarm() {
    if (fd_ < 0) return;
    [[maybe_unused]] const ssize_t written = ::write(fd_, "V", 1);
    ::close(fd_);
    fd_ = -1;
}

}  // namespace pgherd::guard
