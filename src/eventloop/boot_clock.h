// The real Clock: calls ordered by time, and one timerfd that wakes the loop for the earliest.
//
// CLOCK_BOOTTIME, because a lease runs on while the machine sleeps. A call never comes before its time, and
// those of equal time come in the order they were asked for. Private to this module: others take Clock& from
// EventLoop.
#pragma once

#include <memory>

#include "ports/clock.h"

namespace boost::asio {
class io_context;
}

namespace pgherd {

class BootTimers final : public Clock {
  public:
    explicit BootTimers(boost::asio::io_context& context);
    ~BootTimers() override;
    BootTimers(const BootTimers&) = delete;
    BootTimers& operator=(const BootTimers&) = delete;

    Instant now() const override { return boottime_now(); }
    WallTime wall() const override;
    [[nodiscard]] Timer call_at(Instant when, Then then) override;
    void post(Then then) override;

  private:
    class Calls;
    class Pending;
    std::shared_ptr<Calls> calls_;
};

}  // namespace pgherd
