// Turns: work that comes in many small pieces gets a share of the loop's time, whoever wants it, and the rest
// of the program has its own in between.
//
// Whoever is queued has one turn, in order; when the share is used up, the others wait until everything else
// that is due in the loop has run. A turn should take much less than a share.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "eventloop/loop.h"

namespace pgherd::supervisor {

class Turns;

// A place in the queue. Destroying it gives the turn up.
class Turn {
  public:
    explicit Turn(Turns& turns);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    // Calls `then` once, when it is its turn; nothing, when it is queued already.
    void request(std::function<void()> then);
    void give_up();
    bool requested() const { return then_ != nullptr; }

  private:
    friend class Turns;
    struct Queue;
    std::shared_ptr<Queue> queue_;
    std::function<void()> then_;
};

class Turns {
  public:
    Turns(EventLoop& loop, Duration share);

  private:
    friend class Turn;
    std::shared_ptr<Turn::Queue> queue_;
};

}  // namespace pgherd::supervisor
