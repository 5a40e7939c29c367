// Ten thousand connections that say nothing, held by another process, and a client that wants an answer now.
#include <fstream>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "http_testing.h"

namespace pgherd {
namespace {

// A sanitizer's bookkeeping is not what is measured.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

long resident_kb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
    return 0;
}

rlim_t raise_limit(rlim_t wanted) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    rlimit raised{wanted, std::max(limit.rlim_max, wanted)};
    if (limit.rlim_max >= wanted) raised.rlim_max = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) {
        raised = {limit.rlim_max, limit.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &raised);
    }
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

// A child process that opens connections until it has `count`, reports, and holds them until it is killed.
class Crowd {
  public:
    Crowd(std::uint16_t port, int count) {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            hold(port, count, ends[1]);
        }
        ::close(ends[1]);
        ready_ = ends[0];
        ::fcntl(ready_, F_SETFL, O_NONBLOCK);
    }
    ~Crowd() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        ::close(ready_);
    }
    bool ready() {
        char byte = 0;
        return ::read(ready_, &byte, 1) == 1;
    }

  private:
    [[noreturn]] static void hold(std::uint16_t port, int count, int ready) {
        raise_limit(static_cast<rlim_t>(count) + 100);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sockaddr generic{};
        std::memcpy(&generic, &address, sizeof address);
        for (int i = 0; i < count; ++i) {
            const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
            if (fd < 0 || ::connect(fd, &generic, sizeof generic) != 0) ::_exit(1);
        }
        if (::write(ready, "x", 1) != 1) ::_exit(1);
        for (;;) ::pause();
    }
    pid_t pid_;
    int ready_;
};

class IdleTest : public HttpTest {
  protected:
    // Runs the loop until the crowd is there. The loop is woken to look.
    bool wait_for(Crowd& crowd) {
        Timer timer;
        return loop_.run_until(
            [&] {
                timer = loop_.clock().call_at(loop_.clock().now() + std::chrono::milliseconds(5), [] {});
                return crowd.ready();
            },
            std::chrono::seconds(30));
    }
};

TEST_F(IdleTest, TenThousandIdleConnectionsDoNotStopIt) {
    const auto limit = raise_limit(10'700);
    const int count = std::min(10'000, static_cast<int>(limit) - 700);
    if (count < 10'000)
        std::printf("only %d connections: the limit of descriptors is %ld\n", count,
                    static_cast<long>(limit));
    serve();
    const long before = resident_kb();
    Crowd crowd(server_->port(), count);
    ASSERT_TRUE(wait_for(crowd));
    ASSERT_TRUE(
        loop_.run_until([&] { return server_->connections() == static_cast<std::size_t>(count); }, kLimit));
    const long each = (resident_kb() - before) * 1024 / count;
    std::printf("%ld bytes for each idle connection\n", each);
    if (!kSanitized) {
        EXPECT_LT(each, 4096);
    }
    HttpClient client(loop_);
    for (int i = 0; i < 20; ++i) {
        const Instant begin = loop_.clock().now();
        const auto answer = request(client, "GET", url("/primary"));
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_LT(loop_.clock().now() - begin, std::chrono::milliseconds(200));
    }
    EXPECT_EQ(server_->connections(), static_cast<std::size_t>(count) + 1);
}

TEST_F(IdleTest, AnswersWhenDescriptorsHaveRunOut) {
    rlimit old{};
    ::getrlimit(RLIMIT_NOFILE, &old);
    serve();  // sets the limit to what is allowed; lowered again below, so that accept() fails
    const rlimit small{64, old.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &small);
    {
        Crowd crowd(server_->port(), 200);
        EXPECT_TRUE(wait_for(crowd));
        // The client lives in the same process and needs a descriptor of its own; the server gets none.
        const rlimit more{80, old.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &more);
        RawSocket client(loop_, server_->port());
        ::setrlimit(RLIMIT_NOFILE, &small);
        client.send("GET /primary HTTP/1.0\r\n\r\n");
        EXPECT_TRUE(client.receive().ends_with("GET /primary\n"));
        EXPECT_LT(server_->connections(), 64U);
    }
    ::setrlimit(RLIMIT_NOFILE, &old);
}

}  // namespace
}  // namespace pgherd
