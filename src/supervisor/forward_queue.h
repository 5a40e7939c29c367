// Log lines that wait for their target.
//
// The bound is in bytes. An outage of the target fills it: then the oldest lines go, and what is taken next
// begins with a line that says how many.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/time.h"

namespace pgherd::supervisor {

struct ForwardedLine {
    std::string service;
    WallTime time;
    std::string text;
};

class ForwardQueue {
  public:
    explicit ForwardQueue(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    void push(ForwardedLine line);
    // The oldest lines, at most so many.
    std::vector<ForwardedLine> take(std::size_t lines);

    bool empty() const { return lines_.empty(); }
    std::size_t size() const { return lines_.size(); }

  private:
    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::deque<ForwardedLine> lines_;
    std::uint64_t lost_ = 0;
};

}  // namespace pgherd::supervisor
