#include "supervisor/forward_queue.h"

#include <algorithm>

#include <fmt/format.h>

namespace pgherd::supervisor {

namespace {

std::size_t cost(const ForwardedLine& line) {
    return sizeof line + line.service.size() + line.text.size();
}

}  // namespace

void ForwardQueue::push(ForwardedLine line) {
    bytes_ += cost(line);
    lines_.push_back(std::move(line));
    while (bytes_ > max_bytes_ && lines_.size() > 1) {
        bytes_ -= cost(lines_.front());
        lines_.pop_front();
        ++lost_;
    }
}

std::vector<ForwardedLine> ForwardQueue::take(std::size_t lines) {
    std::vector<ForwardedLine> taken;
    const std::size_t count = std::min(lines, lines_.size());
    taken.reserve(count + 1);
    if (lost_ > 0 && count > 0) {
        taken.push_back({lines_.front().service, lines_.front().time,
                         fmt::format("(... {} lines lost: the log target took too long ...)", lost_)});
        lost_ = 0;
    }
    for (std::size_t i = 0; i < count; ++i) {
        bytes_ -= cost(lines_.front());
        taken.push_back(std::move(lines_.front()));
        lines_.pop_front();
    }
    return taken;
}

}  // namespace pgherd::supervisor
