// Wakeup: what a coroutine waits on until something in the loop calls it.
//
// A notification that comes while nobody waits is kept, one of them. Only for the loop's thread, and for one
// waiter.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/time.h"

namespace pgherd {

class Wakeup {
  public:
    explicit Wakeup(const boost::asio::any_io_executor& executor) : timer_(executor) {}

    void notify() {
        notified_ = true;
        timer_.cancel();
    }
    boost::asio::awaitable<void> wait() {
        if (!notified_) {
            timer_.expires_at(boost::asio::steady_timer::time_point::max());
            while (!notified_) co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        }
        notified_ = false;
    }
    // Gives false when `limit` passed without a notification.
    boost::asio::awaitable<bool> wait_for(Duration limit) {
        if (!notified_) {
            timer_.expires_after(limit);
            co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        }
        co_return std::exchange(notified_, false);
    }

  private:
    boost::asio::steady_timer timer_;
    bool notified_ = false;
};

}  // namespace pgherd
