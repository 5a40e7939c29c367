// What happened in a run: a hash of every event, and the last of them as text when somebody wants to read.
//
// The hash is what proves that a seed repeats. Text is built only while `reading`, because building it costs
// more than everything else; a violation is read by running its seed once more.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/time.h"
#include "ports/clock.h"

namespace pgherd::sim {

class Trace {
  public:
    enum class Reading { nothing, tail, everything };  // `everything` goes to the standard output at once

    Trace(const Clock& clock, Reading reading) : clock_(clock), origin_(clock.now()), reading_(reading) {}

    static constexpr int kNobody = -1;

    // `what` is a literal; `text()` is called only when somebody reads.
    template <class Text>
    void note(int member, std::string_view what, std::uint64_t number, Text text) {
        mix(member, what, number);
        if (reading_ != Reading::nothing) write(member, what, text());
    }
    void note(int member, std::string_view what, std::uint64_t number = 0) {
        note(member, what, number, [number] { return number == 0 ? std::string{} : std::to_string(number); });
    }

    std::uint64_t hash() const { return hash_; }
    std::uint64_t events() const { return events_; }
    const std::deque<std::string>& tail() const { return tail_; }
    static constexpr std::size_t kTail = 80;

  private:
    void mix(int member, std::string_view what, std::uint64_t number);
    void write(int member, std::string_view what, const std::string& text);

    const Clock& clock_;
    Instant origin_;
    Reading reading_;
    std::uint64_t hash_ = 0xcbf29ce484222325U;
    std::uint64_t events_ = 0;
    std::deque<std::string> tail_;
};

}  // namespace pgherd::sim
