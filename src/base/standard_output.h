// What a command prints, with what became of it: a reader that has gone, a disk that is full.
#pragma once

#include <string_view>

#include "base/result.h"

namespace pgherd {

class StandardOutput {
  public:
    // Writes and flushes; a failure is remembered.
    void print(std::string_view text);
    bool failed() const { return error_ != 0; }
    // Whether all could be written; a reader that has gone, as in `… | head`, is no error.
    Status status() const;

  private:
    int error_ = 0;
};

}  // namespace pgherd
