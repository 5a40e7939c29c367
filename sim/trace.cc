#include "sim/trace.h"

#include <cstdio>

#include <fmt/format.h>

namespace pgherd::sim {

void Trace::mix(int member, std::string_view what, std::uint64_t number) {
    const auto add = [this](std::uint64_t value) {
        hash_ = (hash_ ^ value) * 0x100000001b3U;
        hash_ ^= hash_ >> 29U;
    };
    add(static_cast<std::uint64_t>(clock_.now().time_since_epoch().count()));
    add(static_cast<std::uint64_t>(member + 1));
    for (const char c : what) add(static_cast<unsigned char>(c));
    add(number);
    ++events_;
}

void Trace::write(int member, std::string_view what, const std::string& text) {
    const double seconds = std::chrono::duration<double>(clock_.now() - origin_).count();
    auto line = fmt::format("{:10.4f}  {:<3} {:<22} {}", seconds,
                            member == kNobody ? "-" : fmt::format("m{}", member + 1), what, text);
    if (reading_ == Reading::everything) {
        std::puts(line.c_str());
        return;
    }
    tail_.push_back(std::move(line));
    if (tail_.size() > kTail) tail_.pop_front();
}

}  // namespace pgherd::sim
