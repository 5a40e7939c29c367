// Processes as the guard needs them: starting one as another user, and finding those that a postmaster left
// behind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace pgherd::guard {

struct SpawnSpec {
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string working_directory;  // empty = as it is
    std::string log_file;           // for standard output and error; standard input is closed then
    int output = -1;                // the same with a descriptor; neither = as they are
    bool change_user = false;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    int death_signal = 0;      // sent to it when this process dies
    bool new_session = false;  // otherwise only a process group of its own
    int inherited_fd = -1;     // kept open
};

struct Spawned {
    pid_t pid = 0;
    int errors = -1;  // readable without blocking once the process is gone: why it could not be executed
};

// Does not wait for the exec, as the file system may hang.
Result<Spawned> spawn(const SpawnSpec& spec);
// What the child wrote before it gave up, and closes `errors`.
std::string take_spawn_error(int& errors);

// Whether the environment that the process was executed with is readable and has the variable.
bool has_variable(pid_t pid, const std::string& name);

// Which program a process runs, and where: the mark by which processes of an adopted postmaster are found.
struct Footprint {
    dev_t program_device = 0;
    ino_t program = 0;
    dev_t directory_device = 0;
    ino_t directory = 0;
    bool operator==(const Footprint&) const = default;
};
std::optional<Footprint> footprint(pid_t pid);

}  // namespace pgherd::guard
