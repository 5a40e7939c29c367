// A real etcd for the tests, and a proxy in front of it that loses connections and answers on demand.
#pragma once

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <list>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/temp_dir.h"
#include "eventloop/loop.h"
#include "http/client.h"
#include "store_etcd/store_etcd.h"

namespace pgherd {

inline constexpr Duration kEtcdLimit = std::chrono::seconds(15);

inline std::string etcd_program() {
    for (const char* path : {"/usr/bin/etcd", "/usr/local/bin/etcd"})
        if (std::filesystem::exists(path)) return path;
    return {};
}

inline std::uint16_t free_port() {
    boost::asio::io_context context;
    return boost::asio::ip::tcp::acceptor(context, {boost::asio::ip::address_v4::loopback(), 0})
        .local_endpoint()
        .port();
}

// One etcd, a cluster of its own. The heartbeat is short, so that it elects itself at once and leases may be
// short.
class EtcdServer {
  public:
    explicit EtcdServer(std::vector<std::string> more = {}, std::string scheme = "http")
        : port_(free_port()), peer_port_(free_port()), more_(std::move(more)), scheme_(std::move(scheme)) {
        start();
    }
    ~EtcdServer() { stop(); }

    void start() {
        const std::string client = fmt::format("{}://127.0.0.1:{}", scheme_, port_);
        const std::string peer = fmt::format("http://127.0.0.1:{}", peer_port_);
        std::vector<std::string> arguments{etcd_program(),
                                           "--name",
                                           "t",
                                           "--data-dir",
                                           dir_.file("data"),
                                           "--listen-client-urls",
                                           client,
                                           "--advertise-client-urls",
                                           client,
                                           "--listen-peer-urls",
                                           peer,
                                           "--initial-advertise-peer-urls",
                                           peer,
                                           "--initial-cluster",
                                           "t=" + peer,
                                           "--initial-cluster-state",
                                           "new",
                                           "--heartbeat-interval",
                                           "20",
                                           "--election-timeout",
                                           "200",
                                           "--logger",
                                           "zap"};
        arguments.insert(arguments.end(), more_.begin(), more_.end());
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        const std::string log = dir_.file("log");
        pid_ = ::fork();
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int fd = ::open(log.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
        ::dup2(fd, 1);
        ::dup2(fd, 2);
        ::close_range(3, ~0U, 0);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    void stop() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    void pause() const { ::kill(pid_, SIGSTOP); }
    void resume() const { ::kill(pid_, SIGCONT); }
    std::uint16_t port() const { return port_; }
    StoreConfig config() const {
        StoreConfig config;
        config.kind = StoreKind::etcd;
        config.endpoints = {{"127.0.0.1", port_}};
        return config;
    }

  private:
    TempDir dir_;
    std::uint16_t port_;
    std::uint16_t peer_port_;
    std::vector<std::string> more_;
    std::string scheme_;
    pid_t pid_ = 0;
};

// Passes bytes on between a client and etcd.
class Proxy {
  public:
    Proxy(EventLoop& loop, std::uint16_t target)
        : context_(loop.context()),
          target_(target),
          acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0}) {
        accept();
    }
    ~Proxy() {
        closed_ = true;
        acceptor_.close();
        cut();
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void cut() {
        for (const auto& link : links_) link->close();
        links_.clear();
    }
    bool lose_next_answer = false;  // of a swap: it reaches etcd, and the connection breaks under the answer
    std::size_t accepted = 0;

  private:
    using Socket = boost::asio::ip::tcp::socket;
    struct Link {
        explicit Link(Socket socket) : client(std::move(socket)), server(client.get_executor()) {}
        Socket client;
        Socket server;
        std::array<char, 8192> up{};
        std::array<char, 8192> down{};
        bool lose = false;
        void close() {
            boost::system::error_code ignored;
            client.close(ignored);
            server.close(ignored);
        }
    };
    using LinkPtr = std::shared_ptr<Link>;

    void accept() {
        acceptor_.async_accept([this](auto error, Socket socket) {
            if (error || closed_) return;
            ++accepted;
            auto link = std::make_shared<Link>(std::move(socket));
            links_.push_back(link);
            boost::system::error_code failed;
            link->server.connect({boost::asio::ip::address_v4::loopback(), target_}, failed);
            if (failed) {
                link->close();
            } else {
                pump(link, link->client, link->server, link->up, true);
                pump(link, link->server, link->client, link->down, false);
            }
            accept();
        });
    }
    void pump(LinkPtr link, Socket& from, Socket& to, std::array<char, 8192>& buffer, bool up) {
        from.async_read_some(
            boost::asio::buffer(buffer), [this, link, &from, &to, &buffer, up](auto error, std::size_t size) {
                if (error || (!up && link->lose)) return link->close();
                if (up && lose_next_answer &&
                    std::string_view(buffer.data(), size).find("/kv/txn") != std::string_view::npos) {
                    lose_next_answer = false;
                    link->lose = true;
                }
                boost::asio::async_write(to, boost::asio::buffer(buffer.data(), size),
                                         [this, link, &from, &to, &buffer, up](auto failed, std::size_t) {
                                             if (failed) return link->close();
                                             pump(link, from, to, buffer, up);
                                         });
            });
    }

    boost::asio::io_context& context_;
    std::uint16_t target_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::list<LinkPtr> links_;
    bool closed_ = false;
};

// Calls with a result that the test waits for.
class StoreCaller {
  public:
    explicit StoreCaller(EventLoop& loop) : loop_(loop) {}

    template <class T, class Call>
    Result<T> wait(Call call, Duration limit) {
        auto answer = std::make_shared<std::optional<Result<T>>>();
        call(loop_.clock().now() + limit, [answer](Result<T> result) { answer->emplace(std::move(result)); });
        if (!loop_.run_until([&] { return answer->has_value(); }, limit + kEtcdLimit))
            return fail("no answer");
        return std::move(**answer);
    }
    Result<SnapshotPtr> load(Store& store, Duration limit = kEtcdLimit) {
        return wait<SnapshotPtr>([&](Instant d, auto done) { store.load(d, std::move(done)); }, limit);
    }
    Result<Revision> put(Store& store, std::string key, std::string value, Duration limit = kEtcdLimit) {
        return wait<Revision>(
            [&](Instant d, auto done) { store.swap({key, Always{}, value, {}}, d, std::move(done)); }, limit);
    }
    // etcd needs a moment to come up.
    bool reachable(Store& store) {
        return loop_.run_until([&] { return load(store, std::chrono::seconds(1)).has_value(); }, kEtcdLimit);
    }

  private:
    EventLoop& loop_;
};

// A bare call to etcd, for what the Store port has no business with.
inline Result<HttpClientResponse> etcd_request(EventLoop& loop, const std::string& url,
                                               const std::string& body) {
    HttpClient client(loop);
    std::optional<Result<HttpClientResponse>> answer;
    client.request("POST", url, {}, body, loop.clock().now() + kEtcdLimit,
                   [&](auto result) { answer = std::move(result); });
    if (!loop.run_until([&] { return answer.has_value(); }, kEtcdLimit)) return fail("no answer");
    return std::move(*answer);
}

}  // namespace pgherd
