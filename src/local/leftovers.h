// Processes of a local cluster's directory, found by what their command lines name.
#pragma once

#include <filesystem>
#include <vector>

#include <sys/types.h>

namespace pgherd::local {

struct Leftover {
    enum class Kind { agent, brain, postmaster, other };
    pid_t pid = 0;
    Kind kind = Kind::other;
};
// All that name a file below `dir` as an argument of their own, except this process.
std::vector<Leftover> processes_of(const std::filesystem::path& dir);

}  // namespace pgherd::local
