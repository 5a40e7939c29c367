#include "eventloop/worker.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <pthread.h>
#include <signal.h>

#include "base/scope.h"

namespace pgherd {

struct Worker::Shared {
    Shared(EventLoop& event_loop, std::size_t bound) : loop(event_loop), capacity(bound) {}

    void work() {
        std::unique_lock lock(mutex);
        while (true) {
            changed.wait(lock, [this] { return ending || !jobs.empty(); });
            if (ending) return;
            Job job = std::move(jobs.front());
            jobs.pop_front();
            lock.unlock();
            // Moved out of the job before it is posted: what `then` owns belongs to the loop and dies there.
            loop.post(scope.guard(job()));
            lock.lock();
        }
    }

    EventLoop& loop;
    std::size_t capacity;
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::deque<Job> jobs;
    bool ending = false;
    Scope scope;
    std::thread thread;
};

Worker::Worker(EventLoop& loop, std::string name, std::size_t capacity)
    : shared_(std::make_unique<Shared>(loop, capacity)) {
    // Signals belong to the loop's thread.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    shared_->thread = std::thread([shared = shared_.get()] { shared->work(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(shared_->thread.native_handle(), name.substr(0, 15).c_str());
}

Worker::~Worker() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->ending = true;
    }
    shared_->changed.notify_one();
    shared_->thread.join();
}

bool Worker::enqueue(Job job) {
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->jobs.size() >= shared_->capacity) return false;
        shared_->jobs.push_back(std::move(job));
    }
    shared_->changed.notify_one();
    return true;
}

std::size_t Worker::waiting() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->jobs.size();
}

}  // namespace pgherd
