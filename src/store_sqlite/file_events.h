// Tells when somebody touches a file's time stamp or removes it (inotify).
#pragma once

#include <memory>
#include <string>

#include "eventloop/loop.h"

namespace pgherd::sqlite {

class FileEvents {
  public:
    // Calls `changed` from the loop, once for any number of events that came together. Where the system has
    // no inotify to give (its limits, a file system without it) nothing is called.
    FileEvents(EventLoop& loop, const std::string& path, Then changed);
    ~FileEvents();
    FileEvents(const FileEvents&) = delete;
    FileEvents& operator=(const FileEvents&) = delete;

  private:
    struct Reader;
    std::shared_ptr<Reader> reader_;
};

}  // namespace pgherd::sqlite
