// The network: which machine hears which, one direction at a time, and how long a message takes.
//
// Machines are the members (0 … n-1) and the store (n). Cuts are counted, so that two faults may cut the same
// link and the first to heal does not heal the other. A message that meets a cut is lost, as a caller sees
// it; streams (replication) look again when something has healed.
//
// A member's address may be given to another one: then that one gets the questions that were meant for it.
#pragma once

#include <functional>
#include <numeric>
#include <vector>

#include "sim/dice.h"

namespace pgherd::sim {

class Network {
  public:
    Network(int members, Dice dice)
        : size_(members + 1),
          cuts_(static_cast<std::size_t>(size_ * size_)),
          holders_(static_cast<std::size_t>(members)),
          dice_(dice) {
        restore_addresses();
    }

    int store() const { return size_ - 1; }
    bool hears(int to, int from) const { return to == from || cuts_[index(from, to)] == 0; }
    bool both_ways(int a, int b) const { return hears(a, b) && hears(b, a); }
    void cut(int from, int to) {
        ++cuts_[index(from, to)];
        changed();
    }
    void heal(int from, int to) {
        auto& count = cuts_[index(from, to)];
        if (count > 0) --count;
        changed();
    }
    void heal_everything() {
        std::fill(cuts_.begin(), cuts_.end(), 0);
        restore_addresses();
        changed();
    }
    // Who has the address of this member now.
    int holder(int member) const { return holders_[static_cast<std::size_t>(member)]; }
    void give_address(int of, int to) { holders_[static_cast<std::size_t>(of)] = to; }
    void restore_addresses() { std::iota(holders_.begin(), holders_.end(), 0); }
    Duration delay() { return dice_.about(std::chrono::microseconds(400)); }
    void on_change(std::function<void()> then) { then_ = std::move(then); }

  private:
    std::size_t index(int from, int to) const { return static_cast<std::size_t>(from * size_ + to); }
    void changed() {
        if (then_) then_();
    }

    int size_;
    std::vector<int> cuts_;
    std::vector<int> holders_;
    Dice dice_;
    std::function<void()> then_;
};

}  // namespace pgherd::sim
