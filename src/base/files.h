// Whole files: read, and replaced in one step.
//
// A file that is replaced is the old one or the new one at every moment, also after a power failure, and is
// never readable to more people than its mode allows. For shells, adapters and the reader of configurations:
// the modules that are pure do not include it (tools/tidy).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "base/result.h"

namespace pgherd {

inline constexpr std::size_t kMaxFileSize = 64 * 1024 * 1024;
// Behind the name of a file that is being written; what a crash leaves there, the next writer removes.
inline constexpr std::string_view kUnfinished = ".pgherd-new";

// `what` has a word on it: "cannot read password file /x: No such file or directory". Codes: not_found,
// denied, invalid (a directory, or more than `limit` bytes), failed.
Result<std::string> read_file(const std::string& path, std::string_view what = {},
                              std::size_t limit = kMaxFileSize);

struct Ownership {
    uid_t user = 0;
    gid_t group = 0;
};

// Writes a temporary file beside the target, readable by this user alone until it is whole, syncs it, renames
// it, and syncs the directory. When that fails, the temporary file is gone. Not for several writers at once.
Status write_file_atomically(const std::string& path, std::string_view content, mode_t mode = 0600,
                             std::optional<Ownership> owner = std::nullopt);

// fsync of the directory that holds `path`, so that a rename in it survives a power failure.
Status sync_parent(const std::string& path);

// All of it. False: errno says why, and a part may have been written.
bool write_all(int descriptor, std::string_view bytes);

}  // namespace pgherd
