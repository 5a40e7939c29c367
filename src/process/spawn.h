// The start of one process: quick, as the child shares our memory until it becomes the other program, and
// honest, as an error of any step is an error here and not an exit code.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "process/users.h"

namespace pgherd {

using ProcessEnvironment = std::map<std::string, std::string, std::less<>>;

// The process leads a group of its own, or a session.
struct SpawnOptions {
    std::vector<std::string> command;  // the first is what find_executable takes, in our own PATH
    ProcessEnvironment environment;    // nothing else is inherited
    std::string working_dir;           // empty = ours
    std::optional<ProcessUser> user;   // without our supplementary groups; our own user keeps all
    int standard_input = -1;           // -1 = /dev/null; the descriptors stay the caller's
    int standard_output = -1;
    int standard_error = -1;
    bool new_session = false;
    int parent_death_signal = 0;        // that it gets when this process is gone; 0 = none
    bool controlling_terminal = false;  // `standard_output` is a terminal, and becomes the new session's
};

// The path of what `name` calls: itself if it has a slash, otherwise the first executable file in the
// directories of `search_path`. Errors as Go's os/exec words them, since clients show them: `exec: "a":
// executable file not found in $PATH`.
Result<std::string> find_executable(std::string_view name, std::string_view search_path);

// The process id. The caller reaps it.
Result<int> spawn(const SpawnOptions& options);

// 128 + n for signal n, as shells have it.
int exit_code_of(int wait_status);

}  // namespace pgherd
