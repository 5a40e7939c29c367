// Time that jumps: the clock and the event loop of a simulation.
//
// Calls are kept in a heap by (time, order of arrival), so a run depends on nothing but its inputs; running a
// call moves now() to its time. Everything of a simulation, agents included, hangs on one VirtualClock. It
// has no threads and never looks at a real clock.
#pragma once

#include <cstdint>
#include <vector>

#include "ports/clock.h"

namespace pgherd::sim {

class VirtualClock final : public Clock {
  public:
    explicit VirtualClock(Instant start = Instant{std::chrono::seconds(1000)},
                          WallTime wall = WallTime{std::chrono::seconds(1767225600)});  // 2026-01-01
    ~VirtualClock() override;
    VirtualClock(const VirtualClock&) = delete;
    VirtualClock& operator=(const VirtualClock&) = delete;

    Instant now() const override { return now_; }
    WallTime wall() const override;
    [[nodiscard]] Timer call_at(Instant when, Then then) override;
    void post(Then then) override { after(Duration{}, std::move(then)); }

    // As call_at, without a way to cancel.
    void after(Duration delay, Then then);
    // Runs the earliest call; false when there is none.
    bool run_one();
    // Runs everything that is due up to `until`, then stands there.
    void run_until(Instant until);
    void run_for(Duration duration) { run_until(now_ + duration); }
    // Somebody sets the wall clock. Instants do not notice.
    void step_wall(Duration by) { wall_offset_ += by; }
    std::uint64_t calls() const { return calls_; }  // how many have run

  private:
    class Pending;
    struct Slot {
        Then then;
        std::uint64_t order = 0;  // 0 = free
    };
    struct Entry {
        Instant when;
        std::uint64_t order;
        std::uint32_t slot;
    };
    std::uint32_t insert(Instant when, Then then);
    void cancel(std::uint32_t slot, std::uint64_t order);
    bool drop_cancelled();

    Instant start_;
    Instant now_;
    WallTime wall_;
    Duration wall_offset_{};
    std::uint64_t next_order_ = 1;
    std::uint64_t calls_ = 0;
    std::vector<Entry> heap_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
};

}  // namespace pgherd::sim
