// Chance, from a seed: every choice of a run comes from a Dice, so the seed repeats the run.
#pragma once

#include "base/time.h"
#include "ports/random.h"

namespace pgherd::sim {

class Dice final : public Random {
  public:
    explicit Dice(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 0x1234567U) {}

    std::uint64_t next() override {  // SplitMix64
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31U);
    }
    double unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }  // [0, 1)
    bool chance(double probability) { return unit() < probability; }
    Duration between(Duration low, Duration high) {
        return high <= low ? low
                           : low + Duration(static_cast<Duration::rep>(
                                       below(static_cast<std::uint64_t>((high - low).count()))));
    }
    // Mostly about `typical`, now and then up to twenty times as long.
    Duration about(Duration typical) {
        return chance(0.02) ? between(typical, typical * 20) : between(typical / 2, typical * 2);
    }
    // A generator of its own, so that one part's appetite does not change another part's choices.
    Dice fork() { return Dice(next()); }

  private:
    std::uint64_t state_;
};

}  // namespace pgherd::sim
