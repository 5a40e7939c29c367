// `pgherd up`: in the foreground, or as a daemon whose beginning the caller follows through a pipe.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "local/herd.h"
#include "local/local.h"

namespace pgherd::local {
namespace {

int failed(const Error& error, int code = 1) {
    fmt::print(stderr, "pgherd up: {}\n", error.message);
    return code;
}

int run_in_foreground(Plan& plan, const UpOptions& options) {
    if (auto ready = carry_out(plan); !ready) return failed(ready.error());
    if (auto signed_ = plan.lock.sign(); !signed_) return failed(signed_.error());
    auto display =
        ::isatty(STDOUT_FILENO) ? terminal_display(STDOUT_FILENO) : line_display([](const std::string& line) {
            fmt::print("{}\n", line);
            std::fflush(stdout);
        });
    Herd herd(plan, options.timeout, *display, [](const std::string& why_not) {
        if (!why_not.empty()) fmt::print(stderr, "pgherd up: {}\n(still trying; Ctrl-C stops)\n", why_not);
        return true;
    });
    return herd.run();
}

// --- detached
// ----------------------------------------------------------------------------------------------------------

// What the daemon tells the caller: lines that begin with one of these.
enum Tag : char { kLine = '+', kWhyNot = '!', kDone = '=' };

class Caller {
  public:
    explicit Caller(int fd) : fd_(fd) {}
    // Every line of the text gets the tag.
    void tell(Tag tag, std::string_view text) {
        if (fd_ < 0) return;
        std::string message(1, tag);
        for (char c : text) {
            message += c;
            if (c == '\n') message += tag;
        }
        message += '\n';
        if (::write(fd_, message.data(), message.size()) < 0) hang_up();
    }
    void hang_up() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

  private:
    int fd_;
};

bool redirect_to(const std::string& log) {
    int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bool ok =
        null >= 0 && output >= 0 && ::dup2(null, 0) >= 0 && ::dup2(output, 1) >= 0 && ::dup2(output, 2) >= 0;
    ::close(null);
    ::close(output);
    return ok;
}

int run_daemon(Plan& plan, const UpOptions& options, Caller& caller) {
    ::setsid();
    auto ready = carry_out(plan);
    if (ready) ready = plan.lock.sign();
    if (ready && (!redirect_to(plan.directory.log()) || ::chdir("/") != 0))
        ready = fail(fmt::format("cannot write {}: {}", plan.directory.log().string(), std::strerror(errno)));
    if (!ready) {
        caller.tell(kWhyNot, ready.error().message);
        return 1;
    }
    auto display = line_display([&](const std::string& line) {
        caller.tell(kLine, line);
        fmt::print("{}\n", line);
        std::fflush(stdout);
    });
    Herd herd(plan, options.timeout, *display, [&](const std::string& why_not) {
        if (!why_not.empty()) {
            caller.tell(kWhyNot, why_not);
            fmt::print(stderr, "{}\n", why_not);
            return false;
        }
        caller.tell(kDone, "");
        caller.hang_up();
        return true;
    });
    int code = herd.run();
    caller.hang_up();
    return code;
}

// Prints what the daemon says until it hangs up. Gives the exit code.
int follow(int fd) {
    bool healthy = false;
    std::FILE* stream = ::fdopen(fd, "r");
    char* line = nullptr;
    std::size_t size = 0;
    for (ssize_t length = 0; (length = ::getline(&line, &size, stream)) > 0;) {
        std::string_view text(line, std::size_t(length));
        if (text[0] == kDone) healthy = true;
        if (text[0] == kLine) fmt::print("{}", text.substr(1));
        if (text[0] == kWhyNot) fmt::print(stderr, "pgherd up: {}", text.substr(1));
        std::fflush(stdout);
    }
    std::free(line);
    std::fclose(stream);
    return healthy ? 0 : 1;
}

int run_detached(Plan& plan, const UpOptions& options) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed({ErrorCode::failed, std::strerror(errno), {}});
    pid_t daemon = ::fork();
    if (daemon < 0)
        return failed(
            {ErrorCode::failed, fmt::format("cannot start a process: {}", std::strerror(errno)), {}});
    if (daemon > 0) {
        ::close(ends[1]);
        return follow(ends[0]);
    }
    ::close(ends[0]);
    Caller caller(ends[1]);
    int code = run_daemon(plan, options, caller);
    std::fflush(nullptr);
    ::_exit(code);
}

}  // namespace

int up_main(std::span<const std::string> args) {
    auto options = parse_up(args);
    if (!options)
        return failed({ErrorCode::invalid, options.error().message + "; see `pgherd up --help`", {}}, 2);
    if (options->help) {
        fmt::print("{}", kUpHelp);
        return 0;
    }
    auto plan = make_plan(*options);
    if (!plan) return failed(plan.error());
    for (const std::string& remark : plan->remarks) fmt::print("{}\n", remark);
    std::fflush(stdout);
    return options->detach ? run_detached(*plan, *options) : run_in_foreground(*plan, *options);
}

}  // namespace pgherd::local
