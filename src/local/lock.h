// The lock of a running `up` on its directory, with its pid, so that there is at most one and `down` finds
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include <sys/types.h>

#include "base/result.h"
#include "local/user.h"

namespace pgherd::local {

struct Holder {
    pid_t pid = 0;
    std::uint64_t started =
        0;  // /proc/<pid>/stat field 22: a pid that was given to another process does not count
};

class UpLock {
  public:
    UpLock() = default;
    UpLock(UpLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UpLock& operator=(UpLock&& other) noexcept;
    ~UpLock();

    // conflict: another one holds it, and the message says who.
    static Result<UpLock> take(const std::filesystem::path& file, const User& owner);
    // Writes this process in. A lock survives a fork; the parent just forgets it.
    Status sign() const;

  private:
    explicit UpLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

// Who holds the lock; nothing when nobody does.
std::optional<Holder> lock_holder(const std::filesystem::path& file);
bool is_alive(const Holder& holder);
std::optional<std::uint64_t> process_start(pid_t pid);

}  // namespace pgherd::local
