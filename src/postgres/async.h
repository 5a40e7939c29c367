// The few building blocks that the coroutines of this module are made of. Every wait takes a deadline; a
// cancelled coroutine unwinds by exception at its next wait, which ends in Tasks and goes no further. No
// other exception is expected out of one.
#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <poll.h>

#include "base/result.h"
#include "base/time.h"

namespace pgherd::postgres {

namespace asio = boost::asio;

template <class T>
using Async = asio::awaitable<Result<T>>;

inline constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// What is left until then, never negative, and short enough for a timer.
inline Duration left_until(Instant deadline) {
    return std::clamp<Duration>(deadline - boottime_now(), Duration{}, std::chrono::hours(24 * 365));
}
// A point in time `duration` from now; a huge duration is "never".
inline Instant after(Duration duration) {
    const Instant now = boottime_now();
    return duration > Instant::max() - now ? Instant::max() : now + duration;
}

inline asio::awaitable<void> pause_for(Duration duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(kTuple);
}

// Whether it is ready now. A wait may end without that: Asio keeps the state of closed descriptors for new
// ones, and an event of the old one, which was under way, ends the first wait of the new one.
inline bool is_ready(asio::posix::stream_descriptor& descriptor,
                     asio::posix::stream_descriptor::wait_type what) {
    const bool read = what == asio::posix::stream_descriptor::wait_read;
    pollfd look{.fd = descriptor.native_handle(), .events = short(read ? POLLIN : POLLOUT), .revents = 0};
    return ::poll(&look, 1, 0) > 0;
}

// True when the descriptor is ready, false when the deadline has passed (or the descriptor was closed).
inline asio::awaitable<bool> wait_ready(asio::posix::stream_descriptor& descriptor,
                                        asio::posix::stream_descriptor::wait_type what, Instant deadline) {
    using namespace asio::experimental::awaitable_operators;
    while (true) {
        asio::steady_timer timer(descriptor.get_executor(), left_until(deadline));
        const auto first = co_await (descriptor.async_wait(what, kTuple) || timer.async_wait(kTuple));
        if (first.index() != 0 || std::get<0>(std::get<0>(first))) co_return false;
        if (is_ready(descriptor, what)) co_return true;
    }
}

// Something happened: look again. Waiters wake on notify() or at their deadline.
class Notifier {
  public:
    void notify() {
        for (asio::steady_timer* timer : waiting_) timer->cancel();
    }
    asio::awaitable<void> wait(Instant deadline) {
        asio::steady_timer timer(co_await asio::this_coro::executor, left_until(deadline));
        waiting_.push_back(&timer);
        const Removal removal{waiting_, &timer};
        co_await timer.async_wait(kTuple);
    }

  private:
    struct Removal {
        std::vector<asio::steady_timer*>& list;
        asio::steady_timer* timer;
        ~Removal() { std::erase(list, timer); }
    };
    std::vector<asio::steady_timer*> waiting_;
};

// Owns what was spawned. close() cancels everything; nothing is left to call back after it.
class Tasks {
  public:
    explicit Tasks(asio::io_context& context) : context_(context) {}

    void spawn(asio::awaitable<void> task) {
        auto signal = std::make_shared<asio::cancellation_signal>();
        signals_->push_back(signal);
        asio::co_spawn(context_, std::move(task),
                       asio::bind_cancellation_slot(signal->slot(),
                                                    [signals = signals_, signal](std::exception_ptr end) {
                                                        signals->remove(signal);
                                                        if (end) pass_on_unless_cancelled(end);
                                                    }));
    }
    void close() {
        const auto running = *signals_;
        for (const auto& signal : running) signal->emit(asio::cancellation_type::terminal);
    }

  private:
    using Signals = std::list<std::shared_ptr<asio::cancellation_signal>>;
    // Any other exception is a bug, and ends the program through whoever runs the loop.
    static void pass_on_unless_cancelled(const std::exception_ptr& end) {
        try {
            std::rethrow_exception(end);
        } catch (const boost::system::system_error& error) {
            if (error.code() != asio::error::operation_aborted) throw;
        }
    }

    asio::io_context& context_;
    std::shared_ptr<Signals> signals_ = std::make_shared<Signals>();
};

}  // namespace pgherd::postgres

// As PGHERD_TRY and PGHERD_CHECK, in a coroutine.
#define PGHERD_CO_TRY(declaration, ...) \
    PGHERD_CO_TRY_(PGHERD_CONCAT(try_result_, __LINE__), declaration, __VA_ARGS__)
#define PGHERD_CO_TRY_(temporary, declaration, ...)                          \
    auto temporary = (__VA_ARGS__);                                          \
    if (!temporary) co_return std::unexpected(std::move(temporary).error()); \
    declaration = std::move(*temporary)
#define PGHERD_CO_CHECK(...)                                            \
    do {                                                                \
        if (auto check_result = (__VA_ARGS__); !check_result)           \
            co_return std::unexpected(std::move(check_result).error()); \
    } while (false)
