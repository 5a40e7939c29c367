// Tells when somebody touches a file, or what is in a directory (inotify).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "eventloop/loop.h"

namespace pgherd {

enum class Watched : std::uint8_t {
    file,    // its time stamp changes, or it is removed or renamed
    entries  // of a directory: one appears, disappears or has been written
};

class FileEvents {
  public:
    // Calls `changed` from the loop, once for any number of events that came together. Where the system has
    // no inotify to give (its limits, a file system without it) nothing is called.
    FileEvents(EventLoop& loop, const std::string& path, Watched what, Then changed);
    ~FileEvents();
    FileEvents(const FileEvents&) = delete;
    FileEvents& operator=(const FileEvents&) = delete;

  private:
    struct Reader;
    std::shared_ptr<Reader> reader_;
};

}  // namespace pgherd
