#include "local/member_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pgherd::local {

using namespace std::chrono_literals;

namespace {

constexpr Duration kShortestPause = 500ms;
constexpr Duration kLongestPause = 10s;
constexpr Duration kLongEnough = 30s;  // one that ran this long has not failed to start

// Variables that would change what the agent's file says stay out.
std::vector<char*> agent_environment() {
    std::vector<char*> kept;
    for (char** entry = environ; *entry; ++entry) {
        std::string_view text(*entry);
        if (!text.starts_with("PATRONI_") && !text.starts_with("PGHERD_") && !text.starts_with("PG"))
            kept.push_back(*entry);
    }
    kept.push_back(nullptr);
    return kept;
}

// Only calls that are allowed between fork and exec of a program with threads.
[[noreturn]] void become_agent(pid_t parent, const char* working_directory, const char* log,
                               char* const* arguments, char* const* environment) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(0);
    ::signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    int null = ::open("/dev/null", O_RDONLY);
    int output = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    bool ready =
        null >= 0 && output >= 0 && ::dup2(null, 0) >= 0 && ::dup2(output, 1) >= 0 && ::dup2(output, 2) >= 0;
    if (null > 2) ::close(null);
    if (output > 2) ::close(output);
    if (ready && ::chdir(working_directory) == 0) ::execve("/proc/self/exe", arguments, environment);
    ::_exit(127);
}

std::string describe(int status) {
    if (WIFSIGNALED(status)) return fmt::format("its agent was ended by signal {}", WTERMSIG(status));
    return fmt::format("its agent ended with exit code {}", WEXITSTATUS(status));
}

}  // namespace

MemberProcess::MemberProcess(Clock& clock, const Directory& directory, std::string name,
                             std::function<void()> changed)
    : clock_(clock),
      name_(std::move(name)),
      config_(directory.agent_file(name_)),
      log_(directory.agent_log(name_)),
      working_directory_(directory.member(name_)),
      changed_(std::move(changed)) {}

void MemberProcess::start() {
    std::string program = "pgherd", command = "agent";
    std::array<char*, 4> arguments{program.data(), command.data(), config_.data(), nullptr};
    auto environment = agent_environment();
    pid_t parent = ::getpid();
    started_ = clock_.now();
    pid_ = ::fork();
    if (pid_ == 0)
        become_agent(parent, working_directory_.c_str(), log_.c_str(), arguments.data(), environment.data());
    trouble_.clear();
    if (pid_ < 0) {
        trouble_ = fmt::format("cannot start its agent: {}", std::strerror(errno));
        start_again_later();
    }
    changed_();
}

void MemberProcess::stop() {
    stopping_ = true;
    again_.reset();
    if (running()) ::kill(pid_, SIGTERM);
}

void MemberProcess::reap() {
    int status = 0;
    if (!running() || ::waitpid(pid_, &status, WNOHANG) != pid_) return;
    pid_ = 0;
    trouble_ = stopping_ ? "stopped" : describe(status);
    if (!stopping_) start_again_later();
    changed_();
}

void MemberProcess::start_again_later() {
    failures_ = clock_.now() - started_ >= kLongEnough ? 1 : failures_ + 1;
    Duration pause = std::min(kLongestPause, kShortestPause * (1 << std::min(failures_ - 1, 5)));
    again_ = clock_.call_at(clock_.now() + pause, [this] { start(); });
}

}  // namespace pgherd::local
