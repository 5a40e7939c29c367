// What systemd wants to hear from a service of Type=notify, and its watchdog.
#pragma once

#include <string_view>

#include "ports/clock.h"

namespace pgherd::supervisor {

// "READY=1", "STOPPING=1"; nothing happens where nobody listens.
void notify_manager(std::string_view state);

// Says WATCHDOG=1 at half of the interval that the manager asked for, if it did.
class Watchdog {
  public:
    explicit Watchdog(Clock& clock);

  private:
    void ping();
    Clock& clock_;
    Duration every_{};
    Timer timer_;
};

}  // namespace pgherd::supervisor
