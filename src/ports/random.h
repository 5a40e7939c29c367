// Randomness, as a port: a seed repeats a simulation.
#pragma once

#include <cstdint>

namespace pgherd {

class Random {
  public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;
    // Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

}  // namespace pgherd
