// File operations off the loop: a disk that does not answer holds up whoever asked, and nobody else.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "eventloop/wakeup.h"
#include "eventloop/worker.h"

namespace pgherd::supervisor {

class FileWork {
  public:
    explicit FileWork(EventLoop& loop) : loop_(loop) {}

    // Runs `work()` on the thread and gives what it returns (not void). `work` must not throw and must not
    // touch what belongs to the loop.
    template <class Work>
    boost::asio::awaitable<std::invoke_result_t<Work&>> run(Work work) {
        using Value = std::invoke_result_t<Work&>;
        struct Shared {
            explicit Shared(const boost::asio::any_io_executor& executor) : done(executor) {}
            Wakeup done;
            std::optional<Value> value;
        };
        const auto shared = std::make_shared<Shared>(co_await boost::asio::this_coro::executor);
        // The thread is there from the first use on.
        if (!worker_) worker_.emplace(loop_, "files");
        while (!worker_->run(work, [shared](Value value) {
            shared->value.emplace(std::move(value));
            shared->done.notify();
        }))
            co_await shared->done.wait_for(std::chrono::milliseconds(10));
        while (!shared->value) co_await shared->done.wait();
        co_return std::move(*shared->value);
    }

  private:
    EventLoop& loop_;
    std::optional<Worker> worker_;
};

}  // namespace pgherd::supervisor
