// Who the cluster runs as: this user, or, for root, the user `postgres`, because PostgreSQL refuses to run as
// root and nothing else of a local cluster needs to.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace pgherd::local {

struct User {
    bool change = false;  // this process is root and the user is another one
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::string name;
};

Result<User> cluster_user();
// Another user's files: their owner, or this user.
Result<User> owner_of(const std::filesystem::path& path);

// For good. Does nothing for a user that needs no change.
Status become(const User& user);
// While it lives, this process acts as the user. Single-threaded programs only.
class ActingAs {
  public:
    explicit ActingAs(const User& user);
    ~ActingAs();
    ActingAs(const ActingAs&) = delete;
    ActingAs& operator=(const ActingAs&) = delete;

  private:
    bool changed_;
    std::vector<gid_t> groups_;
};

// The outermost directory on the way to `path` (itself included) that the user cannot enter; those that do
// not exist count as fine.
std::optional<std::filesystem::path> unreachable_part(const User& user, const std::filesystem::path& path);

}  // namespace pgherd::local
