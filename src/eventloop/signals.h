// Signals as events of the loop. Only one object per signal and process.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "eventloop/loop.h"

namespace pgherd {

class Signals {
  public:
    // Calls `handle(number)` from the loop after each of `numbers` (SIGTERM, SIGHUP, …); several of one kind
    // may arrive as one. Destroying it gives the signals back to their defaults.
    Signals(EventLoop& loop, const std::vector<int>& numbers, std::function<void(int)> handle);
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

  private:
    struct Set;
    std::shared_ptr<Set> set_;
};

}  // namespace pgherd
