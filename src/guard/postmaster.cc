#include "guard/postmaster.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/process_info.h"

namespace pgherd::guard {

namespace {

// <sys/pidfd.h> of glibc 2.36 cannot be used from C++: it lacks extern "C".
int open_pidfd(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}
int signal_pidfd(int pidfd, int signal) {
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

}  // namespace

Postmaster::~Postmaster() {
    close_pidfd();
    take_error();
}

void Postmaster::close_pidfd() {
    if (pidfd_ >= 0) ::close(std::exchange(pidfd_, -1));
}

Status Postmaster::start(const SpawnSpec& spec) {
    take_error();
    PGHERD_TRY(const Spawned child, spawn(spec));
    const auto info = process_info(child.pid);
    pid_ = child.pid;
    errors_ = child.errors;
    start_time_ = info ? info->start : 0;
    adopted_ = false;
    last_exit_ = 0;
    phase_ = PostmasterPhase::running;
    return {};
}

Status Postmaster::adopt(pid_t pid) {
    const int pidfd = open_pidfd(pid);
    if (pidfd < 0) return fail(fmt::format("cannot watch process {}: {}", pid, std::strerror(errno)));
    const auto info = process_info(pid);
    const auto mark = footprint(pid);
    if (!info || !mark) {
        ::close(pidfd);
        return fail(fmt::format("cannot watch process {}: its program and directory cannot be read", pid));
    }
    take_error();
    pid_ = pid;
    pidfd_ = pidfd;
    start_time_ = info->start;
    footprint_ = *mark;
    adopted_ = true;
    last_exit_ = 0;
    phase_ = PostmasterPhase::running;
    return {};
}

Status Postmaster::send(int signal) const {
    // A child keeps its pid until it is reaped, and for an adopted one there is the pidfd: no stranger is
    // ever signalled.
    const int result = pidfd_ >= 0 ? signal_pidfd(pidfd_, signal) : ::kill(pid_, signal);
    if (result != 0) return fail(fmt::format("cannot signal process {}: {}", pid_, std::strerror(errno)));
    return {};
}

void Postmaster::kill_all() {
    if (phase_ != PostmasterPhase::running) return;
    // First the postmaster, so that it forks no more; its children are still to be seen until it is reaped.
    static_cast<void>(send(SIGKILL));
    for (const auto& process : all_processes())
        if (process.parent == pid_) ::kill(process.pid, SIGKILL);
}

bool Postmaster::reaped(pid_t pid, int status) {
    if (phase_ != PostmasterPhase::running || pid != pid_) return false;
    last_exit_ = status;
    phase_ = PostmasterPhase::draining;
    close_pidfd();
    return true;
}

void Postmaster::adopted_died() {
    phase_ = PostmasterPhase::draining;
    close_pidfd();
}

std::vector<pid_t> Postmaster::left_behind(pid_t brain) const {
    std::vector<pid_t> found;
    const pid_t self = ::getpid();
    for (const auto& process : all_processes()) {
        if (process.pid == brain || process.pid == self) continue;
        const bool orphan =
            process.parent == self && (process.state == 'Z' || !has_variable(process.pid, kFdVariable));
        const bool of_adopted = adopted_ && process.state != 'Z' && footprint(process.pid) == footprint_;
        if (orphan || of_adopted) found.push_back(process.pid);
    }
    return found;
}

bool Postmaster::sweep(pid_t brain) {
    const auto left = left_behind(brain);
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    if (!left.empty()) return false;
    phase_ = PostmasterPhase::none;
    pid_ = 0;
    start_time_ = 0;
    return true;
}

}  // namespace pgherd::guard
