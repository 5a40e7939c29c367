#include "guard/processes.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"

namespace pgherd::guard {

namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

[[noreturn]] void give_up(int errors, const char* step) {
    const int error = errno;
    char text[256];
    const int size = std::snprintf(text, sizeof text, "%s: %s", step, std::strerror(error));
    if (size > 0) [[maybe_unused]]
        const ssize_t written = ::write(errors, text, static_cast<std::size_t>(size));
    ::_exit(127);
}

void reset_signals() {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void redirect_output(const SpawnSpec& spec, int errors) {
    const int log = spec.output >= 0
                        ? spec.output
                        : ::open(spec.log_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0) give_up(errors, "cannot open the log file");
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || ::dup2(null, STDIN_FILENO) < 0 || ::dup2(log, STDOUT_FILENO) < 0 ||
        ::dup2(log, STDERR_FILENO) < 0)
        give_up(errors, "cannot redirect output");
}

[[noreturn]] void become(const SpawnSpec& spec, const std::vector<char*>& argv,
                         const std::vector<char*>& environment, pid_t parent, int errors) {
    reset_signals();
    if (spec.new_session)
        ::setsid();
    else
        ::setpgid(0, 0);
    if (spec.change_user) {
        if (::setgroups(spec.groups.size(), spec.groups.data()) != 0) give_up(errors, "cannot set groups");
        if (::setresgid(spec.gid, spec.gid, spec.gid) != 0) give_up(errors, "cannot change the group");
        if (::setresuid(spec.uid, spec.uid, spec.uid) != 0) give_up(errors, "cannot change the user");
    }
    // After the change of user, which clears it; a parent that died before this line is noticed on the next
    // one.
    if (spec.death_signal != 0) {
        if (::prctl(PR_SET_PDEATHSIG, spec.death_signal) != 0) give_up(errors, "cannot set the death signal");
        if (::getppid() != parent) ::_exit(127);
    }
    if (spec.output >= 0 || !spec.log_file.empty()) redirect_output(spec, errors);
    if (!spec.working_directory.empty() && ::chdir(spec.working_directory.c_str()) != 0)
        give_up(errors, "cannot enter the directory");
    if (spec.inherited_fd >= 0) ::fcntl(spec.inherited_fd, F_SETFD, 0);
    ::execve(argv[0], argv.data(), environment.data());
    give_up(errors, argv[0]);
}

}  // namespace

Result<Spawned> spawn(const SpawnSpec& spec) {
    if (spec.argv.empty()) return fail(ErrorCode::invalid, "cannot start a process: no program");
    const auto argv = pointers(spec.argv);
    const auto environment = pointers(spec.environment);
    int errors[2];
    if (::pipe2(errors, O_CLOEXEC | O_NONBLOCK) != 0)
        return fail(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) become(spec, argv, environment, parent, errors[1]);
    const int error = errno;
    ::close(errors[1]);
    if (pid < 0) {
        ::close(errors[0]);
        return fail(fmt::format("cannot fork: {}", std::strerror(error)));
    }
    return Spawned{pid, errors[0]};
}

std::string take_spawn_error(int& errors) {
    if (errors < 0) return {};
    char text[256];
    const ssize_t size = ::read(errors, text, sizeof text);
    ::close(errors);
    errors = -1;
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

bool has_variable(pid_t pid, const std::string& name) {
    const std::string environment = read_file(fmt::format("/proc/{}/environ", pid)).value_or("");
    const std::string wanted = name + "=";
    for (std::size_t at = 0; at < environment.size();) {
        if (environment.compare(at, wanted.size(), wanted) == 0) return true;
        const auto end = environment.find('\0', at);
        if (end == std::string::npos) break;
        at = end + 1;
    }
    return false;
}

std::optional<Footprint> footprint(pid_t pid) {
    struct stat program{}, directory{};
    if (::stat(fmt::format("/proc/{}/exe", pid).c_str(), &program) != 0) return std::nullopt;
    if (::stat(fmt::format("/proc/{}/cwd", pid).c_str(), &directory) != 0) return std::nullopt;
    return Footprint{program.st_dev, program.st_ino, directory.st_dev, directory.st_ino};
}

}  // namespace pgherd::guard
