// What a call may still do when its deadline passes.
//
// The loop owns the deadline, the worker's thread does the work; `Call` is the only thing both touch. The
// point of no return is the COMMIT: before it the loop can abandon the call, and then nothing has happened
// and nothing will; after it, nobody knows until SQLite returns, so a deadline that passes then is a
// maybe-done.
#pragma once

#include <atomic>

#include "base/time.h"

namespace pgherd::sqlite {

class Call {
  public:
    explicit Call(Instant deadline) : deadline_(deadline) {}

    Instant deadline() const { return deadline_; }
    // Worker: true until the deadline; a call that waits for a lock or in the queue gives up then.
    bool may_go_on() const { return phase_ == Phase::open && boottime_now() < deadline_; }
    // Worker: from here on the outcome is SQLite's. False: abandoned, roll back.
    bool commit() {
        auto expected = Phase::open;
        return phase_.compare_exchange_strong(expected, Phase::committing);
    }
    // Loop: true when the call has had no effect and will have none.
    bool abandon() {
        auto expected = Phase::open;
        return phase_.compare_exchange_strong(expected, Phase::abandoned);
    }

  private:
    enum class Phase { open, committing, abandoned };
    Instant deadline_;
    std::atomic<Phase> phase_{Phase::open};
};

}  // namespace pgherd::sqlite
