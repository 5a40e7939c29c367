// A real guard in a process of its own, whose brain lends its end of the socket to the test.
//
// The brain is the test program itself with `--lend-guard <socket>`: it sends its descriptor to the test and
// then waits for ever. So the test speaks for the brain in its own process, while the guard sees a brain that
// can be killed, stopped and started again. A test program that uses this has a main() that begins with
// lend_guard_if_asked().
#pragma once

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/process_info.h"
#include "guard/client.h"
#include "guard/guard.h"
#include "guard/processes.h"

namespace pgherd::guard::testing {

inline bool eventually(const std::function<bool()>& condition, Duration patience = std::chrono::seconds(10)) {
    const Instant end = boottime_now() + patience;
    while (!condition()) {
        if (boottime_now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

inline bool alive(pid_t pid) {
    const auto info = process_info(pid);
    return info && info->state != 'Z' && info->state != 'X';
}

inline sockaddr_un socket_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
}

// In the brain. Exits with code 0 on SIGTERM.
inline void lend_guard_if_asked(int argc, char** argv) {
    if (argc != 3 || std::string_view(argv[1]) != "--lend-guard") return;
    ::signal(SIGTERM, [](int) { ::_exit(0); });
    const auto address = socket_address(argv[2]);
    const int link = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (::connect(link, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(3);
    const int lent = std::atoi(std::getenv(kFdVariable));
    const pid_t self = ::getpid();
    iovec body{const_cast<pid_t*>(&self), sizeof self};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &body;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &lent, sizeof lent);
    if (::sendmsg(link, &message, 0) < 0) ::_exit(3);
    ::close(lent);  // the test's copy must be the only one
    while (true) ::pause();
}

struct LentBrain {
    pid_t pid = 0;
    int fd = -1;
};

class GuardProcess {
  public:
    explicit GuardProcess(GuardOptions options = {}) {
        char directory[] = "/tmp/pgherd-guard-XXXXXX";
        PGHERD_ASSERT(::mkdtemp(directory));
        directory_ = directory;
        const auto address = socket_address(directory_ + "/lend");
        listener_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        PGHERD_ASSERT(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        PGHERD_ASSERT(::listen(listener_, 4) == 0);
        options.name = "test";
        if (options.brain.empty()) options.brain = {"/proc/self/exe"};
        if (options.brain.size() == 1)  // a path of this program
            options.brain.insert(options.brain.end(), {"--lend-guard", directory_ + "/lend"});
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves nothing behind
            ::_exit(run_guard(options));
        }
    }
    ~GuardProcess() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(listener_);
        ::unlink((directory_ + "/lend").c_str());
        ::rmdir(directory_.c_str());
    }
    GuardProcess(const GuardProcess&) = delete;
    GuardProcess& operator=(const GuardProcess&) = delete;

    // The next brain that the guard has started.
    LentBrain brain(Duration patience = std::chrono::seconds(10)) {
        LentBrain brain;
        pollfd ready{.fd = listener_, .events = POLLIN, .revents = 0};
        const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
        if (::poll(&ready, 1, static_cast<int>(limit)) <= 0) return brain;
        const int link = ::accept(listener_, nullptr, nullptr);
        iovec body{&brain.pid, sizeof brain.pid};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &body;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        PGHERD_ASSERT(::recvmsg(link, &message, 0) == static_cast<ssize_t>(sizeof brain.pid));
        std::memcpy(&brain.fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof brain.fd);
        ::close(link);
        return brain;
    }

    pid_t pid() const { return pid_; }
    const std::string& directory() const { return directory_; }
    void kill(int signal) { ::kill(pid_, signal); }
    // The exit code; nothing when it does not end.
    std::optional<int> exit_code(Duration patience = std::chrono::seconds(10)) {
        int status = 0;
        if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, patience))
            return std::nullopt;
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

  private:
    std::string directory_;
    int listener_ = -1;
    pid_t pid_ = 0;
};

}  // namespace pgherd::guard::testing
