#include "guard/brain.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard/processes.h"

namespace pgherd::guard {

namespace {

constexpr Duration kDiedYoung = std::chrono::seconds(5);
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(2);

std::vector<std::string> environment_with(int fd) {
    const std::string mark = fmt::format("{}=", kFdVariable);
    std::vector<std::string> environment;
    for (char** variable = environ; *variable; ++variable)
        if (std::strncmp(*variable, mark.c_str(), mark.size()) != 0) environment.emplace_back(*variable);
    environment.push_back(mark + std::to_string(fd));
    return environment;
}

}  // namespace

Status Brain::start(Instant now) {
    close_socket();
    take_error();
    started_ = now;  // also of an attempt that fails: it is not to be repeated at once
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(fmt::format("cannot make a socket pair: {}", std::strerror(errno)));
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    SpawnSpec spec{.argv = argv_,
                   .environment = environment_with(ends[1]),
                   .death_signal = SIGKILL,
                   .inherited_fd = ends[1]};
    const auto child = spawn(spec);
    ::close(ends[1]);
    if (!child) {
        ::close(ends[0]);
        return std::unexpected(child.error());
    }
    pid_ = child->pid;
    errors_ = child->errors;
    socket_ = ends[0];
    return {};
}

void Brain::died(Instant now) {
    pid_ = 0;
    close_socket();
    const bool young = now - started_ < kDiedYoung;
    restart_at_ = now + (young ? pause_ : Duration{});
    pause_ = young ? std::clamp(pause_ * 2, kFirstPause, kLongestPause) : Duration{};
}

void Brain::signal(int number) const {
    if (running()) ::kill(pid_, number);
}

void Brain::send(const Report& report) {
    // A brain that does not read loses events; it sees the status in its next acknowledgement.
    if (socket_ >= 0) ::send(socket_, &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Brain::close_socket() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

std::string Brain::take_error() {
    return take_spawn_error(errors_);
}

}  // namespace pgherd::guard
