#include "base/process_info.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include <dirent.h>
#include <fmt/format.h>

#include "base/files.h"

namespace pgherd {

std::optional<ProcessInfo> process_info(pid_t pid) {
    const std::string text = read_file(fmt::format("/proc/{}/stat", pid)).value_or("");
    const auto name_end = text.rfind(')');  // the name may hold anything, also a ')'
    if (name_end == std::string::npos) return std::nullopt;
    ProcessInfo info{.pid = pid};
    unsigned long long start = 0;
    const int fields =
        std::sscanf(text.c_str() + name_end + 1,
                    " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                    &info.state, &info.parent, &info.group, &info.session, &start);
    info.start = start;
    if (fields != 5) return std::nullopt;
    return info;
}

std::vector<ProcessInfo> all_processes() {
    std::vector<ProcessInfo> found;
    DIR* directory = ::opendir("/proc");
    if (!directory) return found;
    while (const dirent* entry = ::readdir(directory)) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        if (const auto info = process_info(std::atoi(entry->d_name))) found.push_back(*info);
    }
    ::closedir(directory);
    return found;
}

}  // namespace pgherd
