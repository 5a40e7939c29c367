#include "supervisor/turns.h"

#include <utility>

namespace pgherd::supervisor {

struct Turn::Queue : std::enable_shared_from_this<Queue> {
    Queue(EventLoop& event_loop, Duration duration) : loop(event_loop), share(duration) {}

    void add(Turn& turn) {
        waiting.push_back(&turn);
        if (!std::exchange(posted, true)) post();
    }
    void post() {
        loop.post([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->run();
        });
    }
    void run() {
        const Instant end = loop.clock().now() + share;
        do {
            if (waiting.empty()) break;
            Turn& turn = *waiting.front();
            waiting.pop_front();
            std::exchange(turn.then_, nullptr)();
        } while (loop.clock().now() < end);
        posted = !waiting.empty();
        if (posted) post();
    }

    EventLoop& loop;
    Duration share;
    std::deque<Turn*> waiting;
    bool posted = false;
};

Turn::Turn(Turns& turns) : queue_(turns.queue_) {}

Turn::~Turn() {
    give_up();
}

void Turn::request(std::function<void()> then) {
    if (then_) return;
    then_ = std::move(then);
    queue_->add(*this);
}

void Turn::give_up() {
    if (std::exchange(then_, nullptr)) std::erase(queue_->waiting, this);
}

Turns::Turns(EventLoop& loop, Duration share) : queue_(std::make_shared<Turn::Queue>(loop, share)) {}

}  // namespace pgherd::supervisor
