#include "sim/clock.h"

#include <algorithm>

namespace pgherd::sim {

namespace {

constexpr auto kLater = [](const auto& a, const auto& b) {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
};

}  // namespace

class VirtualClock::Pending final : public PendingCall {
  public:
    Pending(VirtualClock& clock, std::uint32_t slot, std::uint64_t order)
        : clock_(clock), slot_(slot), order_(order) {}
    ~Pending() override { clock_.cancel(slot_, order_); }
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;

  private:
    VirtualClock& clock_;
    std::uint32_t slot_;
    std::uint64_t order_;
};

VirtualClock::VirtualClock(Instant start, WallTime wall) : start_(start), now_(start), wall_(wall) {}

// What the calls own may hold timers of this clock, so they go while it can still be asked to cancel.
VirtualClock::~VirtualClock() {
    auto slots = std::move(slots_);
    slots_.clear();
}

WallTime VirtualClock::wall() const {
    return wall_ + std::chrono::duration_cast<std::chrono::microseconds>(now_ - start_ + wall_offset_);
}

Timer VirtualClock::call_at(Instant when, Then then) {
    const std::uint32_t slot = insert(when, std::move(then));
    return std::make_unique<Pending>(*this, slot, slots_[slot].order);
}

void VirtualClock::after(Duration delay, Then then) {
    insert(now_ + delay, std::move(then));
}

std::uint32_t VirtualClock::insert(Instant when, Then then) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    slots_[slot].then = std::move(then);
    slots_[slot].order = next_order_;
    heap_.push_back({std::max(when, now_), next_order_++, slot});
    std::ranges::push_heap(heap_, kLater);
    return slot;
}

void VirtualClock::cancel(std::uint32_t slot, std::uint64_t order) {
    if (slot >= slots_.size() || slots_[slot].order != order) return;
    Then dropped = std::move(slots_[slot].then);  // destroyed last: it may own timers itself
    slots_[slot].then = nullptr;
    slots_[slot].order = 0;
}

// Brings a call that still counts to the top of the heap; false when there is none.
bool VirtualClock::drop_cancelled() {
    while (!heap_.empty() && slots_[heap_.front().slot].order != heap_.front().order) {
        std::ranges::pop_heap(heap_, kLater);
        free_.push_back(heap_.back().slot);
        heap_.pop_back();
    }
    return !heap_.empty();
}

bool VirtualClock::run_one() {
    if (!drop_cancelled()) return false;
    std::ranges::pop_heap(heap_, kLater);
    const Entry entry = heap_.back();
    heap_.pop_back();
    Then then = std::move(slots_[entry.slot].then);
    slots_[entry.slot].then = nullptr;
    slots_[entry.slot].order = 0;
    free_.push_back(entry.slot);
    now_ = entry.when;
    ++calls_;
    then();
    return true;
}

void VirtualClock::run_until(Instant until) {
    while (drop_cancelled() && heap_.front().when <= until) run_one();
    now_ = std::max(now_, until);
}

}  // namespace pgherd::sim
