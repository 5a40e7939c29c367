// How long nothing was acknowledged: the time between two acknowledgements, on CLOCK_MONOTONIC, that a client
// of the database lives through when a primary goes away.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "base/time.h"

namespace pgherd::writes {

// CLOCK_MONOTONIC, as every other program of a measurement reads it (Python's time.monotonic()).
using Mono = std::chrono::steady_clock::time_point;

inline double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}
inline double seconds(Mono time) {
    return seconds(time.time_since_epoch());
}

struct Gap {
    Mono start;  // the last acknowledgement before it
    Duration length{};
};

class GapLog {
  public:
    explicit GapLog(Duration noteworthy) : noteworthy_(noteworthy) {}

    void acknowledged(Mono now);
    // The end of the run closes a gap that is open, if one is: an outage at the end counts as well.
    void finished(Mono now);

    std::optional<Mono> first() const { return first_; }  // acknowledgement
    std::optional<Mono> last() const { return last_; }
    const Gap& longest() const { return longest_; }
    const std::vector<Gap>& noteworthy() const { return gaps_; }

  private:
    void close(Mono now);

    Duration noteworthy_;
    std::optional<Mono> first_;
    std::optional<Mono> last_;
    Gap longest_;
    std::vector<Gap> gaps_;
};

}  // namespace pgherd::writes
