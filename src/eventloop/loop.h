// The event loop of a program: one thread, one io_context, and the real clock and chance on it.
//
// Everything of a process except blocking calls (worker.h) runs in here, one handler at a time, so nothing
// needs a lock. The loop outlives whatever runs on it. Timers count on CLOCK_BOOTTIME through one timerfd:
// they notice that the machine slept, and nobody can set them back. No method but `post` and `stop` may be
// called from another thread.
#pragma once

#include <functional>
#include <memory>

#include "ports/clock.h"
#include "ports/random.h"

namespace boost::asio {
class io_context;
}

namespace pgherd {

class EventLoop {
  public:
    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // Runs handlers until stop(). A stop() before it counts.
    void run();
    void stop();  // from any thread
    // Runs handlers until `condition` holds (checked after each) or `limit` has passed or the loop was
    // stopped; for programs that ask one thing and end, and for tests. Gives the condition.
    bool run_until(const std::function<bool()>& condition, Duration limit);

    Clock& clock();
    Random& random();
    // As Clock::post, from any thread. Handlers run in the order they were posted in.
    void post(Then then);
    boost::asio::io_context& context();

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace pgherd
