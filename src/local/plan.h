// Everything that `up` has to know and check before it touches anything.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "local/directory.h"
#include "local/lock.h"
#include "local/options.h"
#include "local/user.h"

namespace pgherd::local {

struct Plan {
    Directory directory{""};
    bool fresh = true;  // the directory is still to be made
    Description description;
    User user;
    std::string postgres_bin;
    std::vector<std::string> remarks;  // choices that a user should hear of
    UpLock lock;                       // held when the directory exists already
};

// Leaves no trace when it fails.
Result<Plan> make_plan(const UpOptions& options);
// The directory as planned, everything in it rendered; the lock is held afterwards. This process is the
// plan's user from then on.
Status carry_out(Plan& plan);

// `wanted` when given; otherwise the newest below /usr/lib/postgresql, otherwise the one on PATH.
Result<std::string> find_postgres(const std::string& wanted);

}  // namespace pgherd::local
