// A reload that PostgreSQL is owed: asked for by a change of settings, and tried again, with growing
// distance, for as long as it fails (a full disk). Each cause is told once.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "base/time.h"

namespace pgherd::agent {

class OwedReload {
  public:
    // Settings have changed: at once, whatever failed before.
    void ask() {
        owed_ = true;
        failures_ = 0;
        not_before_ = {};
    }
    bool due(Instant now) const { return owed_ && now >= not_before_; }
    // What is asked for from here on needs another one.
    void begin() { owed_ = false; }
    void succeeded() { cause_.clear(); }
    // True: this cause was not told yet.
    bool failed(const std::string& cause, Instant now) {
        if (!owed_) not_before_ = now + std::min<Duration>(kFirst * (1 << std::min(failures_++, 10)), kMost);
        owed_ = true;
        return std::exchange(cause_, cause) != cause;
    }

  private:
    static constexpr Duration kFirst = std::chrono::seconds(1);
    static constexpr Duration kMost = std::chrono::seconds(60);
    bool owed_ = false;
    int failures_ = 0;
    Instant not_before_;
    std::string cause_;  // of the last failure
};

}  // namespace pgherd::agent
