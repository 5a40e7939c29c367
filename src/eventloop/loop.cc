#include "eventloop/loop.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "eventloop/boot_clock.h"
#include "eventloop/system_random.h"

namespace pgherd {

struct EventLoop::Parts {
    boost::asio::io_context context;
    BootTimers clock{context};  // goes before the context it waits in
    SystemRandom random;
};

EventLoop::EventLoop() : parts_(std::make_unique<Parts>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
    parts_->context.run();
    parts_->context.restart();
}

void EventLoop::stop() {
    parts_->context.stop();
}

bool EventLoop::run_until(const std::function<bool()>& condition, Duration limit) {
    const Instant end = boottime_now() + limit;
    while (!condition()) {
        const Duration left = end - boottime_now();
        if (left <= Duration{} || parts_->context.stopped()) return condition();
        parts_->context.run_one_for(left);
    }
    return true;
}

Clock& EventLoop::clock() {
    return parts_->clock;
}
Random& EventLoop::random() {
    return parts_->random;
}
void EventLoop::post(Then then) {
    boost::asio::post(parts_->context, std::move(then));
}
boost::asio::io_context& EventLoop::context() {
    return parts_->context;
}

}  // namespace pgherd
