// The machine's watchdog device, for the case that even the guard cannot act (a kernel that hangs, a process
// that SIGKILL does not end). It is set anew with every renewal of the deadline, to fire shortly after that
// deadline; so there is no keep-alive of its own that could outlive the lease.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "guard/guard.h"

namespace pgherd::guard {

class Watchdog {
  public:
    Watchdog(WatchdogMode mode, std::string device) : mode_(mode), device_(std::move(device)) {}
    ~Watchdog() { disarm(); }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    // Fires not before `remaining` from now. An error only when the device is required.
    Status arm(Duration remaining);
    // Closes the device so that it does not fire.
    void disarm();
    bool active() const { return fd_ >= 0; }

  private:
    Status try_arm(Duration remaining);

    WatchdogMode mode_;
    std::string device_;
    int fd_ = -1;
};

}  // namespace pgherd::guard
