#include "process/process.h"

#include <cerrno>
#include <csignal>
#include <system_error>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "eventloop/signals.h"

namespace pgherd {

struct Processes::Core : std::enable_shared_from_this<Core> {
    Core(EventLoop& loop, Orphans given)
        : orphans(given), signals(loop, {SIGCHLD}, [this](int) { reap(); }) {}

    void reap();
    std::vector<std::pair<int, int>> collect();
    Status send(int pid, int target, int number) const;

    Orphans orphans;
    std::unordered_map<int, std::function<void(int)>> children;
    Signals signals;
};

// What has ended: process id and status.
std::vector<std::pair<int, int>> Processes::Core::collect() {
    std::vector<std::pair<int, int>> ended;
    int status = 0;
    if (orphans == Orphans::adopt) {
        for (int pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) ended.emplace_back(pid, status);
        return ended;
    }
    for (const auto& [pid, then] : children)
        if (::waitpid(pid, &status, WNOHANG) == pid) ended.emplace_back(pid, status);
    return ended;
}

void Processes::Core::reap() {
    const auto alive = shared_from_this();
    std::vector<std::pair<std::function<void(int)>, int>> calls;
    for (const auto& [pid, status] : collect()) {
        const auto child = children.extract(pid);
        if (child && child.mapped()) calls.emplace_back(std::move(child.mapped()), exit_code_of(status));
    }
    for (auto& [then, end] : calls) then(end);
}

Status Processes::Core::send(int pid, int target, int number) const {
    if (!children.contains(pid)) return fail(ErrorCode::not_found, fmt::format("process {} has ended", pid));
    if (::kill(target, number) != 0)
        return fail(fmt::format("cannot send signal {} to process {}: {}", number, pid,
                                std::generic_category().message(errno)));
    return {};
}

Processes::Processes(EventLoop& loop, Orphans orphans) : core_(std::make_shared<Core>(loop, orphans)) {
    std::signal(SIGPIPE, SIG_IGN);
    if (orphans == Orphans::adopt) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Processes::~Processes() = default;

Result<int> Processes::spawn(const SpawnOptions& options, std::function<void(int)> on_exit) {
    PGHERD_TRY(const int pid, pgherd::spawn(options));
    core_->children[pid] = std::move(on_exit);
    return pid;
}

void Processes::forget(int pid) {
    if (const auto child = core_->children.find(pid); child != core_->children.end()) child->second = nullptr;
}

bool Processes::alive(int pid) const {
    return core_->children.contains(pid);
}

Status Processes::signal(int pid, int number) {
    return core_->send(pid, pid, number);
}

Status Processes::signal_group(int pid, int number) {
    return core_->send(pid, -pid, number);
}

}  // namespace pgherd
