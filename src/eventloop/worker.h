// Worker: one named thread for calls that block (SQLite, fsync), one after the other, their results given to
// the loop.
//
// The queue has a bound: when it is full, `run` refuses and the caller reports that. Destroying the worker
// waits for the call that runs, drops the ones that wait, and no `then` comes after that. The loop outlives
// the worker.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>

#include "eventloop/loop.h"

namespace pgherd {

class Worker {
  public:
    // The name shows in `ps -L` and debuggers; the kernel cuts it after 15 characters.
    Worker(EventLoop& loop, std::string name, std::size_t capacity = 256);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Runs `work()` on the thread, then `then(result)` (or `then()` for void) on the loop. False: the queue
    // is full, and neither is called. `work` must not throw and must not touch what belongs to the loop.
    template <std::invocable Work, class After>
    [[nodiscard]] bool run(Work work, After then) {
        using Value = std::invoke_result_t<Work&>;
        return enqueue([work = std::move(work), then = std::move(then)]() mutable -> Then {
            if constexpr (std::is_void_v<Value>) {
                work();
                return Then(std::move(then));
            } else {
                return [result = work(), then = std::move(then)]() mutable { then(std::move(result)); };
            }
        });
    }
    std::size_t waiting() const;

  private:
    using Job = std::move_only_function<Then()>;
    bool enqueue(Job job);

    struct Shared;
    std::unique_ptr<Shared> shared_;
};

}  // namespace pgherd
