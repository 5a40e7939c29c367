#include "eventloop/signals.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

namespace pgherd {

struct Signals::Set : std::enable_shared_from_this<Set> {
    Set(boost::asio::io_context& context, std::function<void(int)> function)
        : signals(context), handle(std::move(function)) {}

    void wait() {
        signals.async_wait([weak = weak_from_this()](boost::system::error_code error, int number) {
            const auto self = weak.lock();
            if (!self || error || self->closed) return;
            self->handle(number);
            if (!self->closed) self->wait();
        });
    }

    boost::asio::signal_set signals;
    std::function<void(int)> handle;
    bool closed = false;
};

Signals::Signals(EventLoop& loop, const std::vector<int>& numbers, std::function<void(int)> handle)
    : set_(std::make_shared<Set>(loop.context(), std::move(handle))) {
    for (const int number : numbers) set_->signals.add(number);
    set_->wait();
}

Signals::~Signals() {
    set_->closed = true;
    boost::system::error_code ignored;
    set_->signals.clear(ignored);
    set_->signals.cancel(ignored);
}

}  // namespace pgherd
