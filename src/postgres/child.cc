#include "postgres/child.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/process_info.h"
#include "base/text.h"
#include "guard/processes.h"
#include "guard/protocol.h"

namespace pgherd::postgres {

namespace {

constexpr std::size_t kKeptOutput = 64 * 1024;

// Kills what still runs when the coroutine is left early.
class Group {
  public:
    explicit Group(pid_t pid) : pid_(pid) { ::setpgid(pid, pid); }
    ~Group() {
        if (pid_ <= 0) return;
        ::kill(-pid_, SIGKILL);
        int status = 0;
        for (int i = 0; i < 100 && ::waitpid(pid_, &status, WNOHANG) == 0; ++i) ::usleep(1000);
    }
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    int reap() {
        int status = 0;
        ::waitpid(std::exchange(pid_, 0), &status, 0);
        return status;
    }

  private:
    pid_t pid_;
};

void keep(std::string& output, std::string_view piece) {
    output += piece;
    if (output.size() > 2 * kKeptOutput) output.erase(0, output.size() - kKeptOutput);
}

// Reads what is there, but not for ever from one who writes as fast as this reads. False at the end of the
// output.
bool read_available(int fd, ChildResult& result, const ChildSpec& spec) {
    char buffer[8192];
    for (int pieces = 0; pieces < 32; ++pieces) {
        const ssize_t size = ::read(fd, buffer, sizeof buffer);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno == EAGAIN;
        if (size == 0) return false;
        const std::string_view piece(buffer, static_cast<std::size_t>(size));
        keep(result.output, piece);
        if (spec.on_output) spec.on_output(piece);
    }
    return true;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
    for (const auto prefix : prefixes)
        if (text.starts_with(prefix)) return true;
    return false;
}

}  // namespace

std::string ChildResult::describe() const {
    const std::string_view text = trim(output);
    const auto last_line = text.substr(text.find_last_of("\n\r") + 1);
    const std::string how = WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                                : fmt::format("exited with code {}", WEXITSTATUS(status));
    return last_line.empty() ? how : fmt::format("{}: {}", how, last_line);
}

Async<ChildResult> run_child(const Identity& identity, ChildSpec spec, Instant deadline) {
    using namespace asio::experimental::awaitable_operators;
    using Descriptor = asio::posix::stream_descriptor;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        co_return fail(fmt::format("cannot run {}: {}", spec.argv[0], std::strerror(errno)));
    const auto executor = co_await asio::this_coro::executor;
    Descriptor output(executor, ends[0]);
    ::fcntl(ends[1], F_SETFL, 0);  // the tool's end blocks as tools expect
    auto child = guard::spawn({.argv = spec.argv,
                               .environment = spec.environment,
                               .working_directory = spec.working_directory,
                               .output = ends[1],
                               .change_user = identity.change,
                               .uid = identity.uid,
                               .gid = identity.gid,
                               .groups = identity.groups,
                               .death_signal = SIGKILL});
    ::close(ends[1]);
    if (!child)
        co_return std::unexpected(with_context(std::move(child).error(), "cannot run " + spec.argv[0]));
    Group group(child->pid);
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child->pid, 0));
    if (pidfd < 0) co_return fail(fmt::format("cannot watch {}: {}", spec.argv[0], std::strerror(errno)));
    Descriptor process(executor, pidfd);

    ChildResult result;
    bool reading = true;
    while (reading) {
        asio::steady_timer timer(executor, left_until(deadline));
        const auto first =
            co_await (output.async_wait(Descriptor::wait_read, kTuple) ||
                      process.async_wait(Descriptor::wait_read, kTuple) || timer.async_wait(kTuple));
        if (first.index() == 2)
            co_return fail(ErrorCode::timeout, fmt::format("{} does not end in time", spec.argv[0]));
        // Before the last look at its output, or what it says between the two is lost.
        const bool ended = is_ready(process, Descriptor::wait_read);
        reading = read_available(output.native_handle(), result, spec) && !ended;
    }
    if (!co_await wait_ready(process, Descriptor::wait_read, deadline))
        co_return fail(ErrorCode::timeout, fmt::format("{} does not end in time", spec.argv[0]));
    result.status = group.reap();
    if (const std::string why = guard::take_spawn_error(child->errors); !why.empty())
        co_return fail(ErrorCode::not_found, fmt::format("cannot run {}", why));
    co_return result;
}

std::vector<std::string> shell_command(const std::string& command,
                                       const std::vector<std::string>& arguments) {
    std::vector<std::string> argv{"/bin/sh", "-c", command + " \"$@\"", "sh"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
}

std::vector<std::string> tool_environment(const Identity& identity, const std::vector<std::string>& extra) {
    std::vector<std::string> environment;
    for (char** variable = environ; *variable; ++variable)
        if (!starts_with_any(*variable,
                             {"PATRONI_", "PGHERD_", "PG", "HOME=", "USER=", "LOGNAME=", "NOTIFY_SOCKET="}))
            environment.emplace_back(*variable);
    environment.push_back("HOME=" + identity.home);
    environment.push_back("USER=" + identity.user);
    environment.push_back("LOGNAME=" + identity.user);
    // So that the guard spares what a user's command leaves running when PostgreSQL ends (guard/protocol.h).
    environment.push_back(fmt::format("{}=", guard::kFdVariable));
    environment.insert(environment.end(), extra.begin(), extra.end());
    return environment;
}

std::vector<std::string> server_environment(const Identity& identity) {
    auto environment = tool_environment(identity, {});
    std::erase_if(environment,
                  [](const std::string& variable) { return variable.starts_with(guard::kFdVariable); });
    return environment;
}

Result<std::vector<pid_t>> processes_with(const std::string& variable) {
    const auto processes = all_processes();
    if (processes.empty()) return fail("cannot look at the processes of this machine");
    std::vector<pid_t> found;
    for (const auto& process : processes) {
        const auto environment = read_file(fmt::format("/proc/{}/environ", process.pid));
        // One that has just ended cannot be read either; but then others can.
        if (!environment && environment.error().code == ErrorCode::failed)
            PGHERD_CHECK(read_file("/proc/self/environ"));
        if (environment && std::ranges::count(split(*environment, '\0'), variable) > 0)
            found.push_back(process.pid);
    }
    return found;
}

}  // namespace pgherd::postgres
