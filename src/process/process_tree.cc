#include "process/process_tree.h"

#include <algorithm>
#include <csignal>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/files.h"
#include "base/process_info.h"

namespace pgherd {

namespace {

constexpr int kMaxPasses = 100;

bool has_mark(int pid, const std::string& mark) {
    if (mark.empty()) return false;
    const std::string environment = read_file(fmt::format("/proc/{}/environ", pid)).value_or("");
    for (std::size_t at = 0; (at = environment.find(mark, at)) != std::string::npos; at += mark.size()) {
        const std::size_t end = at + mark.size();
        if ((at == 0 || environment[at - 1] == '\0') &&
            (end == environment.size() || environment[end] == '\0'))
            return true;
    }
    return false;
}

struct Members {
    std::vector<int> living;
    std::set<int> groups;  // process groups of nobody else
};

Members find_members(const ProcessTree& tree) {
    const int self = ::getpid();
    std::set<int> members;
    std::set<int> strangers;  // by their environment
    if (!tree.leader_reaped) members.insert(tree.leader);
    const std::vector<ProcessInfo> all = all_processes();
    // A number that somebody else has by now is free of the leader's group and session, and they are the
    // stranger's.
    const bool numbers_count =
        !tree.leader_reaped || std::ranges::find(all, tree.leader, &ProcessInfo::pid) == all.end();
    for (bool grown = true; grown;) {
        grown = false;
        for (const ProcessInfo& one : all) {
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
    Members found;
    for (const ProcessInfo& one : all)
        if (members.contains(one.pid) && one.state != 'Z' && one.state != 'X') {
            found.living.push_back(one.pid);
            if (one.group > 1) found.groups.insert(one.group);  // -1 would be everybody
        }
    for (const ProcessInfo& one : all)
        if (!members.contains(one.pid)) found.groups.erase(one.group);
    found.groups.erase(::getpgrp());
    return found;
}

}  // namespace

std::size_t kill_tree(const ProcessTree& tree) {
    std::set<int> stopped, groups;
    for (int pass = 0; pass < kMaxPasses; ++pass) {
        bool grown = false;
        const Members members = find_members(tree);
        // A signal to a group reaches those, too, that are just being forked in it; one by one they might be
        // forked as fast as they are found.
        for (const int group : members.groups)
            if (groups.insert(group).second) ::kill(-group, SIGSTOP);
        for (const int pid : members.living)
            if (stopped.insert(pid).second) {
                ::kill(pid, SIGSTOP);
                grown = true;
            }
        if (!grown) break;
    }
    for (const int group : groups) ::kill(-group, SIGKILL);
    for (const int pid : stopped) ::kill(pid, SIGKILL);
    return stopped.size();
}

}  // namespace pgherd
