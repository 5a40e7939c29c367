#include "process/spawn.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd {

namespace {

enum class Step { descriptors, session, terminal, user, directory, exec };

// All that the child needs, made before it exists: it shares our memory and must not allocate.
struct Plan {
    const char* program;
    char* const* arguments;
    char* const* environment;
    const char* directory;  // may be null
    const ProcessUser* user;
    bool new_session;
    bool controlling_terminal;
    int parent_death_signal = 0;
    pid_t parent = 0;
    std::array<int, 3> streams;
    sigset_t signals;
    volatile Step step = Step::descriptors;
    volatile int error = 0;
};

// Raw system calls: glibc's would have the other threads, which are ours, change their user as well.
bool become(const ProcessUser& user) {
    return ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
           ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
           ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

bool take_streams(std::array<int, 3> streams) {
    for (int& stream : streams) {
        if (stream < 0) stream = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        // Out of the way of the three places.
        if (stream >= 0 && stream < 3) stream = ::fcntl(stream, F_DUPFD_CLOEXEC, 3);
        if (stream < 0) return false;
    }
    for (int place = 0; place < 3; ++place)
        if (::dup2(streams[static_cast<std::size_t>(place)], place) < 0) return false;
    ::syscall(SYS_close_range, 3U, ~0U,
              4U /* CLOSE_RANGE_CLOEXEC */);  // old kernels lack it; ours have the flag
    return true;
}

bool prepare(Plan& plan) {
    plan.step = Step::descriptors;
    if (!take_streams(plan.streams)) return false;
    plan.step = Step::session;
    if (plan.new_session ? ::setsid() < 0 : ::setpgid(0, 0) < 0) return false;
    plan.step = Step::terminal;
    if (plan.controlling_terminal && ::ioctl(1, TIOCSCTTY, 0) < 0) return false;
    plan.step = Step::user;
    if (plan.user != nullptr && !become(*plan.user)) return false;
    // A change of user would forget it.
    if (plan.parent_death_signal != 0) {
        ::prctl(PR_SET_PDEATHSIG, plan.parent_death_signal);
        if (::getppid() != plan.parent) ::_exit(127);
    }
    plan.step = Step::directory;
    return plan.directory == nullptr || ::chdir(plan.directory) == 0;
}

// Our handlers must not run in the child, and what we ignore (SIGPIPE) is not for it.
void reset_signals(const sigset_t& mask) {
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
}

[[gnu::noinline]] pid_t start(Plan& plan) {
    const pid_t child = ::vfork();
    if (child != 0) return child;
    if (prepare(plan)) {
        reset_signals(plan.signals);
        plan.step = Step::exec;
        ::execve(plan.program, plan.arguments, plan.environment);
    }
    plan.error = errno;
    ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
    result.push_back(nullptr);
    return result;
}

std::string reason(int error) {
    return to_lower(std::generic_category().message(error));
}

std::unexpected<Error> cannot(const Plan& plan, int error) {
    if (plan.step == Step::directory)
        return fail(ErrorCode::invalid, fmt::format("chdir {}: {}", plan.directory, reason(error)));
    if (plan.step == Step::user)
        return fail(ErrorCode::denied, fmt::format("cannot become user {} with group {}: {}", plan.user->uid,
                                                   plan.user->gid, reason(error)));
    return fail(fmt::format("fork/exec {}: {}", plan.program, reason(error)));
}

// 0, or why it cannot be run.
int why_not_executable(const std::string& path) {
    struct stat there{};
    if (::stat(path.c_str(), &there) != 0) return errno;
    if (S_ISDIR(there.st_mode)) return EISDIR;
    return ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : EACCES;
}

}  // namespace

Result<std::string> find_executable(std::string_view name, std::string_view search_path) {
    if (name.find('/') != std::string_view::npos) {
        const int error = why_not_executable(std::string(name));
        if (error == 0) return std::string(name);
        const bool missing = error == ENOENT || error == ENOTDIR;
        return fail(missing ? ErrorCode::not_found : ErrorCode::denied,
                    missing ? fmt::format("exec: \"{0}\": stat {0}: {1}", name, reason(error))
                            : fmt::format("exec: \"{}\": {}", name, reason(error)));
    }
    if (!name.empty())
        for (const std::string& directory : split(search_path, ':')) {
            std::string path = fmt::format("{}/{}", directory.empty() ? "." : directory, name);
            if (why_not_executable(path) == 0) return path;
        }
    return fail(ErrorCode::not_found, fmt::format("exec: \"{}\": executable file not found in $PATH", name));
}

Result<int> spawn(const SpawnOptions& options) {
    const char* search_path = std::getenv("PATH");
    PGHERD_TRY(const std::string program,
               find_executable(options.command.empty() ? "" : options.command.front(),
                               search_path != nullptr ? search_path : ""));
    std::vector<std::string> variables;
    variables.reserve(options.environment.size());
    for (const auto& [name, value] : options.environment) variables.push_back(name + "=" + value);
    const std::vector<char*> arguments = pointers(options.command);
    const std::vector<char*> environment = pointers(variables);
    Plan plan{.program = program.c_str(),
              .arguments = arguments.data(),
              .environment = environment.data(),
              .directory = options.working_dir.empty() ? nullptr : options.working_dir.c_str(),
              .user = options.user && *options.user != own_user() ? &*options.user : nullptr,
              .new_session = options.new_session,
              .controlling_terminal = options.controlling_terminal,
              .parent_death_signal = options.parent_death_signal,
              .parent = ::getpid(),
              .streams = {options.standard_input, options.standard_output, options.standard_error},
              .signals = {}};
    ::sigemptyset(&plan.signals);
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t child = start(plan);
    const int error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (child < 0) return fail(fmt::format("fork/exec {}: {}", program, reason(error)));
    if (plan.error == 0) return child;
    ::waitpid(child, nullptr, 0);
    return cannot(plan, plan.error);
}

int exit_code_of(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace pgherd
