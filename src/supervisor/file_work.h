// File operations off the loop: a disk that does not answer holds up whoever asked, and nobody else.
//
// Each runs on one of a few threads, which come into being as they are needed; what finds all of them busy
// waits its turn. So it takes as many requests to a hung disk as there are threads until others have to wait.
// What waits needs no bound of its own: a client has one operation at a time, and the server bounds clients.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/assert.h"
#include "eventloop/wakeup.h"
#include "eventloop/worker.h"

namespace pgherd::supervisor {

class FileWork {
  public:
    static constexpr std::size_t kThreads = 4;

    explicit FileWork(EventLoop& loop) : loop_(loop) {}

    // Runs `work()` on a thread and gives what it returns (not void). `work` must not throw and must not
    // touch what belongs to the loop. Operations of different callers run beside each other.
    template <class Work>
    boost::asio::awaitable<std::invoke_result_t<Work&>> run(Work work) {
        using Value = std::invoke_result_t<Work&>;
        struct Shared {
            explicit Shared(const boost::asio::any_io_executor& executor) : done(executor) {}
            Wakeup done;
            std::optional<Value> value;
        };
        const auto shared = std::make_shared<Shared>(co_await boost::asio::this_coro::executor);
        waiting_.push_back([this, shared, work = std::move(work)](Lane& lane) mutable {
            lane.busy = lane.worker.run(std::move(work), [this, shared, &lane](Value value) {
                lane.busy = false;
                shared->value.emplace(std::move(value));
                shared->done.notify();
                start_waiting();
            });
            PGHERD_ASSERT(lane.busy, "its queue is empty");
        });
        start_waiting();
        while (!shared->value) co_await shared->done.wait();
        co_return std::move(*shared->value);
    }

  private:
    struct Lane {
        explicit Lane(EventLoop& loop) : worker(loop, "files") {}
        bool busy = false;
        Worker worker;
    };

    void start_waiting() {
        while (!waiting_.empty()) {
            auto lane = lanes_.begin();
            while (lane != lanes_.end() && lane->busy) ++lane;
            if (lane == lanes_.end()) {
                if (lanes_.size() == kThreads) return;
                lane = lanes_.emplace(lanes_.end(), loop_);
            }
            auto start = std::move(waiting_.front());
            waiting_.pop_front();
            start(*lane);
        }
    }

    EventLoop& loop_;
    std::deque<std::move_only_function<void(Lane&)>> waiting_;
    std::list<Lane> lanes_;
};

}  // namespace pgherd::supervisor
