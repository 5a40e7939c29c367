#include "process/process_tree.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <optional>
#include <set>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace pgherd {

namespace {

constexpr int kMaxPasses = 100;

struct Entry {
    int pid = 0;
    char state = '?';
    int parent = 0;
    int group = 0;
    int session = 0;
};

std::string read_whole(const std::string& path) {
    std::string content;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return content;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(file, buffer, sizeof buffer)) > 0;)
        content.append(buffer, static_cast<std::size_t>(got));
    ::close(file);
    return content;
}

// "12 (name of any bytes) S 1 12 12 …"
std::optional<Entry> read_entry(int pid) {
    const std::string stat = read_whole(fmt::format("/proc/{}/stat", pid));
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || name_end + 4 > stat.size()) return std::nullopt;
    Entry entry{.pid = pid, .state = stat[name_end + 2]};
    const char* at = stat.data() + name_end + 4;
    const char* end = stat.data() + stat.size();
    for (int* field : {&entry.parent, &entry.group, &entry.session}) {
        const auto [next, error] = std::from_chars(at, end, *field);
        if (error != std::errc()) return std::nullopt;
        at = next < end ? next + 1 : end;
    }
    return entry;
}

std::vector<Entry> all_processes() {
    std::vector<Entry> all;
    DIR* directory = ::opendir("/proc");
    if (directory == nullptr) return all;
    while (const dirent* one = ::readdir(directory)) {
        const std::string_view name = one->d_name;
        int pid = 0;
        if (const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
            error == std::errc() && end == name.data() + name.size())
            if (const auto entry = read_entry(pid)) all.push_back(*entry);
    }
    ::closedir(directory);
    return all;
}

bool has_mark(int pid, const std::string& mark) {
    if (mark.empty()) return false;
    const std::string environment = read_whole(fmt::format("/proc/{}/environ", pid));
    for (std::size_t at = 0; (at = environment.find(mark, at)) != std::string::npos; at += mark.size()) {
        const std::size_t end = at + mark.size();
        if ((at == 0 || environment[at - 1] == '\0') &&
            (end == environment.size() || environment[end] == '\0'))
            return true;
    }
    return false;
}

}  // namespace

std::vector<int> members_of(const ProcessTree& tree) {
    const int self = ::getpid();
    std::set<int> members;
    std::set<int> strangers;  // by their environment
    if (!tree.leader_reaped) members.insert(tree.leader);
    const std::vector<Entry> all = all_processes();
    // A number that somebody else has by now is free of the leader's group and session, and they are the
    // stranger's.
    const bool numbers_count =
        !tree.leader_reaped || std::ranges::find(all, tree.leader, &Entry::pid) == all.end();
    for (bool grown = true; grown;) {
        grown = false;
        for (const Entry& one : all) {
            if (one.pid == self || one.pid == 1 || members.contains(one.pid)) continue;
            bool belongs = members.contains(one.parent) || members.contains(one.session) ||
                           (numbers_count && (one.group == tree.leader || one.session == tree.leader));
            if (!belongs && !strangers.contains(one.pid)) {
                belongs = has_mark(one.pid, tree.mark);
                if (!belongs) strangers.insert(one.pid);
            }
            if (belongs && members.insert(one.pid).second) grown = true;
        }
    }
    std::vector<int> living;
    for (const Entry& one : all)
        if (members.contains(one.pid) && one.state != 'Z' && one.state != 'X') living.push_back(one.pid);
    return living;
}

std::size_t kill_tree(const ProcessTree& tree) {
    std::set<int> stopped;
    for (int pass = 0; pass < kMaxPasses; ++pass) {
        bool grown = false;
        for (const int pid : members_of(tree))
            if (stopped.insert(pid).second) {
                ::kill(pid, SIGSTOP);
                grown = true;
            }
        if (!grown) break;
    }
    for (const int pid : stopped) ::kill(pid, SIGKILL);
    return stopped.size();
}

}  // namespace pgherd
