// Who PostgreSQL runs as. An agent that is root gives everything of PostgreSQL to another user, as the server
// refuses to run as root; any other agent runs it as itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace pgherd::postgres {

struct Identity {
    bool change = false;  // this process is root, and PostgreSQL is not
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::string user;
    std::string home;
};

// `run_as`: empty = "postgres"; without meaning when this process is not root.
Result<Identity> find_identity(const std::string& run_as);
// Whether this user may create files in the directory, by owner, group and mode.
bool may_write(const Identity& identity, const std::string& directory);

// Creates the directory and its missing parents, all owned by the user.
Status make_directory(const Identity& identity, const std::string& path, mode_t mode = 0700);
// Replaces a file in one step (temporary file, fsync, rename), owned by the user. Does nothing when it has
// that content.
Status write_file(const Identity& identity, const std::string& path, std::string_view content,
                  mode_t mode = 0600);
bool exists(const std::string& path);
// The same where something follows from it: an error when it cannot be told now (permissions, memory, I/O).
Result<bool> is_there(const std::string& path);
Status remove_file(const std::string& path);  // absent = done

}  // namespace pgherd::postgres
