// Time, as a port: the real one reads CLOCK_BOOTTIME, the simulator's jumps.
#pragma once

#include <memory>

#include "base/time.h"
#include "ports/completion.h"

namespace pgherd {

// A pending call. Destroying it cancels the call.
class PendingCall {
  public:
    virtual ~PendingCall() = default;
};
using Timer = std::unique_ptr<PendingCall>;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual Instant now() const = 0;
    virtual WallTime wall() const = 0;
    // Calls `then` from the event loop, once, not before `when`; at once (but later) when `when` has passed.
    [[nodiscard]] virtual Timer call_at(Instant when, Then then) = 0;
    // Calls `then` from the event loop as soon as possible. Cannot be cancelled.
    virtual void post(Then then) = 0;
};

}  // namespace pgherd
