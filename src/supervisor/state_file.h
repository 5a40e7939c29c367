// What outlives the supervisor: changes, tasks, notices, identities, and the layers of clients.
//
// A journal: one JSON object a line, appended with one write before a client is answered, so a SIGKILL at any
// moment loses nothing that was acknowledged, and a line that was cut short is just not there. Nothing waits
// for the disk, except a change of identities: after a power failure the last seconds of changes and notices
// may be missing, never more. When the journal has grown it is written anew beside itself; the old one stays
// until the next time, and is used when the new one turns out incomplete.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/member.h"

namespace pgherd::supervisor {

class StateFile {
  public:
    // Everything that must be kept, as records.
    using Snapshot = std::function<void(const std::function<void(const JsonObject&)>& write)>;

    explicit StateFile(std::string path) : path_(std::move(path)) {}
    ~StateFile();
    StateFile(const StateFile&) = delete;
    StateFile& operator=(const StateFile&) = delete;

    struct Loaded {
        std::vector<JsonObject> records;
        std::string warning;  // something was damaged, and what was done about it
    };
    // What an earlier supervisor has left. Errors: the file is there and cannot be read.
    Result<Loaded> load();
    // Begins a new journal with `snapshot`; appends go there. After an error it goes on with the one there
    // was, or with none, and `has_grown` asks for another try.
    Status rewrite(const Snapshot& snapshot);

    void append(const JsonObject& record);
    // Hands everything to the kernel; with `to_disk`, to the disk. After an error nothing of it is kept,
    // until a rewrite. Without a journal there is nothing to do, and only `to_disk` is an error.
    Status flush(bool to_disk = false);
    bool begun() const { return descriptor_ >= 0; }
    bool has_grown() const;

  private:
    void close();

    std::string path_;
    int descriptor_ = -1;
    std::string buffer_;
    std::size_t size_ = 0;
    std::size_t snapshot_size_ = 0;
    bool broken_ = false;  // something failed: the journal must be written anew
};

}  // namespace pgherd::supervisor
