// The processes of this machine, as /proc shows them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sys/types.h>

namespace pgherd {

struct ProcessInfo {
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    char state = '?';         // 'Z' = dead, not reaped
    std::uint64_t start = 0;  // clock ticks since boot; with the number, it names a process for good
};

std::optional<ProcessInfo> process_info(pid_t pid);
// Nothing: they cannot be looked at.
std::vector<ProcessInfo> all_processes();

}  // namespace pgherd
