// The door of a brain: everything that calls into an agent passes it.
//
// A brain that is stopped (SIGSTOP) hears nothing until it goes on, and then everything at once, in order;
// one that has crashed never hears anything again. The guard, PostgreSQL and the other machines do not pass
// here.
#pragma once

#include <deque>
#include <memory>

#include "ports/clock.h"

namespace pgherd::sim {

class Gate : public std::enable_shared_from_this<Gate> {
  public:
    bool alive() const { return alive_; }
    bool stopped() const { return stopped_; }

    void run(Then then) {
        if (!alive_) return;
        if (stopped_ || !held_.empty())
            held_.push_back(std::move(then));
        else
            then();
    }
    template <class T>
    Done<T> through(Done<T> done) {
        return [gate = shared_from_this(), done = std::move(done)](Result<T> result) mutable {
            if (!gate->alive_) return;
            gate->run(
                [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
        };
    }
    Then through(Then then) {
        return [gate = shared_from_this(), then = std::move(then)]() mutable { gate->run(std::move(then)); };
    }

    void stop() { stopped_ = true; }
    void go_on() {
        stopped_ = false;
        while (alive_ && !stopped_ && !held_.empty()) {
            Then then = std::move(held_.front());
            held_.pop_front();
            then();
        }
    }
    void close() {
        alive_ = false;
        held_.clear();
    }

  private:
    bool alive_ = true;
    bool stopped_ = false;
    std::deque<Then> held_;
};
using GatePtr = std::shared_ptr<Gate>;

// The clock as one brain sees it: through its gate, and with a wall clock that somebody may have set.
class GatedClock final : public Clock {
  public:
    GatedClock(Clock& clock, GatePtr gate, const Duration& wall_error)
        : clock_(clock), gate_(std::move(gate)), wall_error_(wall_error) {}

    Instant now() const override { return clock_.now(); }
    WallTime wall() const override {
        return clock_.wall() + std::chrono::duration_cast<std::chrono::microseconds>(wall_error_);
    }
    [[nodiscard]] Timer call_at(Instant when, Then then) override {
        auto shared = std::make_shared<Then>(std::move(then));
        auto timer = clock_.call_at(when, [gate = gate_, shared] {
            gate->run([shared] {
                if (Then call = std::exchange(*shared, nullptr)) call();
            });
        });
        return std::make_unique<Pending>(std::move(timer), std::move(shared));
    }
    void post(Then then) override { clock_.post(gate_->through(std::move(then))); }

  private:
    class Pending final : public PendingCall {
      public:
        Pending(Timer timer, std::shared_ptr<Then> then) : timer_(std::move(timer)), then_(std::move(then)) {}
        ~Pending() override { *then_ = nullptr; }
        Pending(const Pending&) = delete;
        Pending& operator=(const Pending&) = delete;

      private:
        Timer timer_;
        std::shared_ptr<Then> then_;
    };

    Clock& clock_;
    GatePtr gate_;
    const Duration& wall_error_;
};

}  // namespace pgherd::sim
