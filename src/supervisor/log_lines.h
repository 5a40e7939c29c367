// Cuts what a process writes into lines, however its writes were cut.
//
// A line that is longer than the bound becomes several, cut between characters where the text is UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pgherd::supervisor {

inline constexpr std::size_t kMaxLogLine = 4096;  // as Pebble's; its clients hold a line of JSON in 5 kB

// Where to cut text that is longer than `limit`.
std::size_t cut_before(std::string_view text, std::size_t limit);

class LineSplitter {
  public:
    // Calls `take(std::string_view line)` for each line that is complete, without its line end.
    template <class Take>
    void feed(std::string_view bytes, Take&& take) {
        while (!bytes.empty()) {
            const std::size_t end = bytes.find('\n');
            if (end == std::string_view::npos) {
                hold(bytes, take);
                return;
            }
            if (held_.empty()) {
                give(bytes.substr(0, end), take);
            } else {
                hold(bytes.substr(0, end), take);
                take(std::string_view(held_));
                held_.clear();
            }
            bytes.remove_prefix(end + 1);
        }
    }
    // The end of what the process writes: what is left is a line.
    template <class Take>
    void finish(Take&& take) {
        if (!held_.empty()) take(std::string_view(held_));
        held_.clear();
    }

  private:
    template <class Take>
    void give(std::string_view line, Take& take) {
        while (line.size() > kMaxLogLine) {
            const std::size_t cut = cut_before(line, kMaxLogLine);
            take(line.substr(0, cut));
            line.remove_prefix(cut);
        }
        take(line);
    }
    template <class Take>
    void hold(std::string_view bytes, Take& take) {
        held_ += bytes;
        while (held_.size() > kMaxLogLine) {
            const std::size_t cut = cut_before(held_, kMaxLogLine);
            take(std::string_view(held_).substr(0, cut));
            held_.erase(0, cut);
        }
    }
    std::string held_;
};

}  // namespace pgherd::supervisor
