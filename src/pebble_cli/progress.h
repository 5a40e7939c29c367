// What a change is doing, for somebody who waits for it at a terminal: one line that is written over, as
// Pebble's client has it. On anything else than a terminal nothing is ever written.
#pragma once

#include <map>
#include <string>

#include "model/member.h"

namespace pgherd::pebble_cli {

class Progress {
  public:
    explicit Progress(int descriptor);
    // Leaves the line empty for what comes after it.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    bool shows() const { return descriptor_ >= 0; }
    // To be called now and then: the task under way, and above it what its log says that is new.
    void show(const JsonObject& change);

  private:
    void write(const std::string& text) const;

    int descriptor_;                               // -1 = not a terminal
    std::map<std::string, std::string> last_log_;  // of tasks
    unsigned turns_ = 0;
};

}  // namespace pgherd::pebble_cli
