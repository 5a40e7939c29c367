// poll(2) with a deadline, and the signals that end a run as a descriptor to poll.
#pragma once

#include <algorithm>
#include <vector>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "writes/gaps.h"

namespace pgherd::writes {

class Waiting {
  public:
    void add(int descriptor, short events) { polled_.push_back({descriptor, events, 0}); }

    // Returns when a descriptor is ready (an error counts) or at `deadline`.
    void wait_until(Mono deadline) {
        Duration left = std::max<Duration>(deadline - std::chrono::steady_clock::now(), Duration::zero());
        timespec timeout{time_t(left.count() / 1'000'000'000), long(left.count() % 1'000'000'000)};
        if (::ppoll(polled_.data(), polled_.size(), &timeout, nullptr) < 0)
            for (pollfd& descriptor : polled_) descriptor.revents = 0;
    }
    bool ready(std::size_t index) const { return polled_[index].revents != 0; }

  private:
    std::vector<pollfd> polled_;
};

// SIGINT and SIGTERM, held back from their default action for as long as this lives.
class StopSignals {
  public:
    StopSignals() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        ::pthread_sigmask(SIG_BLOCK, &set, &before_);
        descriptor_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    }
    ~StopSignals() {
        take();
        ::close(descriptor_);
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    int descriptor() const { return descriptor_; }
    // Whether one has come since the last call.
    bool take() {
        signalfd_siginfo info;
        bool any = false;
        while (::read(descriptor_, &info, sizeof info) == ssize_t(sizeof info)) any = true;
        return any;
    }

  private:
    int descriptor_ = -1;
    sigset_t before_{};
};

}  // namespace pgherd::writes
