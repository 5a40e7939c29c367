// The load client of bench/supervisor: as little work of its own as possible, so that the supervisor is what
// is measured.
//
//   requests SOCKET PATH CONNECTIONS SECONDS
//       keep-alive GETs; each connection asks again when it has its answer
//   follow SOCKET CONNECTIONS MARKER
//       followers of all logs until each has seen MARKER
//   probe SOCKET PATH
//       one GET every 5 ms until standard input ends; a process of its own, so that what else the client does
//       is not taken for the supervisor's time
//   write LINES
//       a service that tells a lot: lines of eighty bytes, as fast as somebody takes them
//   exec SOCKET COUNT
//       /bin/true, one after the other, as the command line runs it
//   push SOCKET LOCAL REMOTE, pull SOCKET REMOTE
//
// Prints one JSON object. The first three speak HTTP by hand; the others use the product's own client.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pebble_client/exec.h"
#include "pebble_client/files.h"

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

[[noreturn]] void die(const std::string& why) {
    fmt::print(stderr, "pgherd-load: {}\n", why);
    std::exit(1);
}

int connect_to(const std::string& path) {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) die("the socket's path is too long");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        die("cannot connect to " + path);
    return descriptor;
}

void send_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) die("the supervisor has closed a connection");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// How long the message at the front of `bytes` is; 0: not all of it is there.
std::size_t message_size(const std::string& bytes) {
    const std::size_t head = bytes.find("\r\n\r\n");
    if (head == std::string::npos) return 0;
    for (std::size_t line = 0; line < head; line = bytes.find("\r\n", line) + 2) {
        if (::strncasecmp(bytes.c_str() + line, "content-length:", 15) != 0) continue;
        const std::size_t size = head + 4 + std::strtoul(bytes.c_str() + line + 15, nullptr, 10);
        return bytes.size() >= size ? size : 0;
    }
    die("an answer without Content-Length");
}

double percentile(std::vector<double>& times, double share) {
    if (times.empty()) return 0;
    std::ranges::sort(times);
    return times[std::min(times.size() - 1,
                          static_cast<std::size_t>(static_cast<double>(times.size()) * share))];
}

struct Asking {
    int descriptor = -1;
    std::string input;
    Clock::time_point asked{};
    std::size_t lines = 0;
    bool done = false;
};

class Poll {
  public:
    void add(Asking& asking) {
        epoll_event event{EPOLLIN, {.ptr = &asking}};
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, asking.descriptor, &event) != 0) die("epoll_ctl");
    }
    template <class Function>
    void wait(int milliseconds, Function function) {
        epoll_event events[64];
        const int count = ::epoll_wait(epoll_, events, 64, milliseconds);
        for (int at = 0; at < count; ++at) function(*static_cast<Asking*>(events[at].data.ptr));
    }

  private:
    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
};

std::string get(std::string_view path) {
    return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
}

bool read_into(Asking& asking, std::string& buffer) {
    const ssize_t got = ::recv(asking.descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0) die("the supervisor has closed a connection");
    if (got < 0) return false;
    asking.input.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
}

void requests(const std::string& socket, std::string_view path, std::size_t connections, double seconds) {
    const std::string request = get(path);
    std::vector<Asking> all(connections);
    Poll poll;
    for (Asking& asking : all) {
        asking.descriptor = connect_to(socket);
        poll.add(asking);
        asking.asked = Clock::now();
        send_all(asking.descriptor, request);
    }
    std::vector<double> times;
    std::string buffer(256 * 1024, '\0');
    std::size_t bytes = 0;
    const auto begin = Clock::now();
    const auto end =
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (Clock::now() < end)
        poll.wait(1000, [&](Asking& asking) {
            if (!read_into(asking, buffer)) return;
            const std::size_t size = message_size(asking.input);
            if (size == 0) return;
            bytes = size;
            asking.input.erase(0, size);
            const auto now = Clock::now();
            times.push_back(Milliseconds(now - asking.asked).count());
            asking.asked = now;
            send_all(asking.descriptor, request);
        });
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    const std::size_t count = times.size();
    fmt::print(R"({{"requests":{},"seconds":{:.3f},"p50_ms":{:.4f},"p99_ms":{:.4f},"answer_bytes":{}}})"
               "\n",
               count, took, percentile(times, 0.5), percentile(times, 0.99), bytes);
}

void follow(const std::string& socket, std::size_t connections, const std::string& marker) {
    std::vector<Asking> all(connections);
    Poll poll;
    for (Asking& asking : all) {
        asking.descriptor = connect_to(socket);
        poll.add(asking);
        send_all(asking.descriptor, get("/v1/logs?follow=true&n=0"));
    }
    fmt::print("following\n");
    std::fflush(stdout);
    std::string buffer(256 * 1024, '\0');
    std::size_t left = connections;
    while (left > 0)
        poll.wait(1000, [&](Asking& asking) {
            if (!read_into(asking, buffer)) return;
            asking.lines += static_cast<std::size_t>(std::ranges::count(asking.input, '{'));
            if (!asking.done && asking.input.find(marker) != std::string::npos) {
                asking.done = true;
                --left;
            }
            asking.input.erase(0, asking.input.size() - std::min(asking.input.size(), marker.size() - 1));
        });
    std::size_t lines = 0;
    for (const Asking& asking : all) lines += asking.lines;
    fmt::print("{{\"lines_delivered\":{}}}\n", lines);
}

void probe(const std::string& socket, std::string_view path) {
    Asking asking{.descriptor = connect_to(socket)};
    const std::string request = get(path);
    std::string buffer(64 * 1024, '\0');
    std::vector<double> times;
    pollfd input{0, POLLIN, 0};
    while (::poll(&input, 1, 5) == 0) {
        asking.asked = Clock::now();
        send_all(asking.descriptor, request);
        std::size_t size = 0;
        for (pollfd answer{asking.descriptor, POLLIN, 0}; size == 0; size = message_size(asking.input))
            if (::poll(&answer, 1, -1) == 1) read_into(asking, buffer);
        times.push_back(Milliseconds(Clock::now() - asking.asked).count());
        asking.input.erase(0, size);
    }
    const std::size_t count = times.size();
    fmt::print(R"({{"requests":{},"p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f}}})"
               "\n",
               count, percentile(times, 0.5), percentile(times, 0.99), percentile(times, 1));
}

void write_lines(std::size_t lines) {
    constexpr std::size_t kLine = 80;
    constexpr std::size_t kLines = 64 * 1024 / kLine;
    std::string block;
    while (block.size() < kLine * kLines)
        block += "a line of eighty bytes, as a program that tells a lot about itself may write it\n";
    while (lines > 0) {
        const std::size_t now = std::min(lines, kLines);
        for (std::string_view left(block.data(), now * kLine); !left.empty();) {
            const ssize_t written = ::write(1, left.data(), left.size());
            if (written <= 0) die("cannot write");
            left.remove_prefix(static_cast<std::size_t>(written));
        }
        lines -= now;
    }
}

void exec(const std::string& socket, int count) {
    pgherd::EventLoop loop;
    pgherd::pebble::Client client(loop, {.socket = socket});
    std::vector<double> times;
    for (int at = 0; at < count; ++at) {
        const auto begin = Clock::now();
        pgherd::pebble::Exec exec(client);
        const auto code = exec.run(
            {pgherd::Json{{"command", {"/bin/true"}}, {"split-stderr", true}}, -1, true, [](auto, auto) {}});
        if (!code || *code != 0) die(code ? "/bin/true has failed" : code.error().message);
        times.push_back(Milliseconds(Clock::now() - begin).count());
    }
    fmt::print(R"({{"count":{},"p50_ms":{:.3f},"p99_ms":{:.3f}}})"
               "\n",
               count, percentile(times, 0.5), percentile(times, 0.99));
}

void transfer(const std::string& socket, const std::string& local, const std::string& remote) {
    pgherd::EventLoop loop;
    pgherd::pebble::Client client(loop, {.socket = socket});
    std::string content;
    if (!local.empty()) {
        std::ifstream file(local, std::ios::binary);
        content.assign(std::istreambuf_iterator<char>(file), {});
    }
    std::size_t at = 0;
    const auto begin = Clock::now();
    pgherd::Status done;
    if (!local.empty()) {
        done = pgherd::pebble::push_file(client, {{"path", remote}}, [&]() -> pgherd::Result<std::string> {
            const std::size_t from = at;
            at = std::min(content.size(), at + 128 * 1024);
            return content.substr(from, at - from);
        });
    } else {
        done = pgherd::pebble::pull_file(
            client, remote, [] { return pgherd::Status{}; },
            [&](std::string_view bytes) {
                at += bytes.size();
                return pgherd::Status{};
            });
    }
    if (!done) die(done.error().message);
    fmt::print(R"({{"bytes":{},"seconds":{:.4f}}})"
               "\n",
               at, std::chrono::duration<double>(Clock::now() - begin).count());
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const std::string what = words.empty() ? "" : words[0];
    if (what == "requests" && words.size() == 5)
        requests(words[1], words[2], std::stoul(words[3]), std::stod(words[4]));
    else if (what == "follow" && words.size() == 4)
        follow(words[1], std::stoul(words[2]), words[3]);
    else if (what == "probe" && words.size() == 3)
        probe(words[1], words[2]);
    else if (what == "write" && words.size() == 2)
        write_lines(std::stoul(words[1]));
    else if (what == "exec" && words.size() == 3)
        exec(words[1], std::stoi(words[2]));
    else if (what == "push" && words.size() == 4)
        transfer(words[1], words[2], words[3]);
    else if (what == "pull" && words.size() == 3)
        transfer(words[1], "", words[2]);
    else
        die("usage: see the head of its source");
    return 0;
}
