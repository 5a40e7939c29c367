// A real kube-apiserver on a real etcd for the tests, without nodes: pods can be created as bare objects.
//
// The programs are those of `tests/kube` (one binary under several names); PGHERD_KUBE_BIN says where they
// are. Access by a client certificate of a CA made here, or by service account tokens made by the API server.
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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
#include "base/text.h"
#include "codec/json.h"
#include "eventloop/loop.h"
#include "http/client.h"
#include "store_kube/access.h"
#include "store_kube/objects.h"
#include "store_kube/store_kube.h"

namespace pgherd {

inline constexpr Duration kKubeLimit = std::chrono::seconds(30);

// For a condition that itself runs the loop, or that no event of the loop announces.
inline bool poll(EventLoop& loop, const std::function<bool()>& condition, Duration limit) {
    const Instant end = loop.clock().now() + limit;
    while (!condition()) {
        if (loop.clock().now() > end) return false;
        loop.run_until([] { return false; }, std::chrono::milliseconds(20));
    }
    return true;
}

inline std::string kube_program(const std::string& name) {
    const char* folder = std::getenv("PGHERD_KUBE_BIN");
    if (!folder || !std::filesystem::exists(std::string(folder) + "/" + name)) {
        fmt::print(stderr, "these tests need a Kubernetes: set PGHERD_KUBE_BIN to the folder with {}\n",
                   name);
        std::exit(1);
    }
    return std::string(folder) + "/" + name;
}

inline std::uint16_t free_port() {
    boost::asio::io_context context;
    return boost::asio::ip::tcp::acceptor(context, {boost::asio::ip::address_v4::loopback(), 0})
        .local_endpoint()
        .port();
}

// A program that ends with the test.
class Program {
  public:
    Program(std::vector<std::string> arguments, std::string log)
        : arguments_(std::move(arguments)), log_(std::move(log)) {
        start();
    }
    ~Program() { stop(); }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    void start() {
        std::vector<char*> argv;
        for (std::string& argument : arguments_) argv.push_back(argument.data());
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int fd = ::open(log_.c_str(), O_CREAT | O_APPEND | O_WRONLY, 0600);
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
    // Gives its exit code, 255 for a signal.
    int wait() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
    }

  private:
    std::vector<std::string> arguments_;
    std::string log_;
    pid_t pid_ = 0;
};

inline int run_program(std::vector<std::string> arguments, const std::string& log) {
    return Program(std::move(arguments), log).wait();
}

class KubeServer {
  public:
    KubeServer() {
        make_certificates();
        etcd_ = std::make_unique<Program>(
            std::vector<std::string>{kube_program("etcd"), "--name", "e", "--data-dir", dir_.file("etcd"),
                                     "--listen-client-urls", etcd_url(), "--advertise-client-urls",
                                     etcd_url(), "--listen-peer-urls", peer_url(),
                                     "--initial-advertise-peer-urls", peer_url(), "--initial-cluster",
                                     "e=" + peer_url(), "--unsafe-no-fsync"},
            dir_.file("etcd.log"));
        server_ = std::make_unique<Program>(
            std::vector<std::string>{
                kube_program("kube-apiserver"), "--etcd-servers=" + etcd_url(), "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1", fmt::format("--secure-port={}", port_),
                "--tls-cert-file=" + dir_.file("server.crt"),
                "--tls-private-key-file=" + dir_.file("server.key"),
                "--client-ca-file=" + dir_.file("ca.crt"),
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-account-key-file=" + dir_.file("server.pub"),
                "--service-account-signing-key-file=" + dir_.file("server.key"),
                "--service-cluster-ip-range=10.79.0.0/16", "--authorization-mode=RBAC",
                "--disable-admission-plugins=ServiceAccount", "--allow-privileged=true", "--profiling=false",
                "--etcd-compaction-interval=0", "--endpoint-reconciler-type=none"},
            dir_.file("server.log"));
    }

    void stop() { server_->stop(); }
    void start() { server_->start(); }
    void pause() { server_->pause(); }
    void resume() { server_->resume(); }
    std::uint16_t port() const { return port_; }
    std::string etcd_url() const { return fmt::format("http://127.0.0.1:{}", etcd_port_); }
    std::string url() const { return fmt::format("https://127.0.0.1:{}", port_); }
    std::string file(const std::string& name) const { return dir_.file(name); }

    // For `user` with a client certificate, at another port if there is one.
    std::string kubeconfig(std::uint16_t at = 0) const { return write_kubeconfig(at, ""); }
    std::string kubeconfig_with_token_file(const std::string& token_file) const {
        return write_kubeconfig(0, token_file);
    }
    // What `kubectl proxy` serves: plain HTTP.
    std::string plain_kubeconfig(std::uint16_t at) const {
        const std::string path = dir_.file(fmt::format("plain-{}.yaml", at));
        std::ofstream(path) << fmt::format(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n"
            "clusters: [{{name: k, cluster: {{server: 'http://127.0.0.1:{}'}}}}]\nusers: [{{name: u, user: "
            "{{}}}}]\n",
            at);
        return path;
    }

    Result<JsonObject> request(EventLoop& loop, const std::string& method, const std::string& path,
                               const std::string& body = {}) const {
        auto access = kube::find_access({.kubeconfig = kubeconfig()}, {});
        if (!access) return std::unexpected(access.error());
        HttpClient client(loop, {.tls = access->tls});
        std::optional<Result<HttpClientResponse>> answer;
        const std::string type = method == "PATCH" ? "application/merge-patch+json" : "application/json";
        client.request(method, url() + path, {{"Content-Type", type}}, body, loop.clock().now() + kKubeLimit,
                       [&](auto result) { answer = std::move(result); });
        if (!loop.run_until([&] { return answer.has_value(); }, kKubeLimit)) return fail("no answer");
        if (!*answer) return std::unexpected(answer->error());
        if ((*answer)->status / 100 != 2)
            return fail(fmt::format("{} {}", (*answer)->status, (*answer)->body));
        return parse_json_object((*answer)->body);
    }
    // It needs some seconds to come up.
    void wait(EventLoop& loop) const {
        ASSERT_TRUE(poll(
            loop, [&] { return request(loop, "GET", "/api/v1/namespaces/default").has_value(); }, kKubeLimit))
            << "the API server does not come up: " << last_lines("server.log") << last_lines("etcd.log");
    }
    void new_namespace(EventLoop& loop, const std::string& name) const {
        const auto made = request(loop, "POST", "/api/v1/namespaces",
                                  fmt::format(R"({{"metadata":{{"name":"{}"}}}})", name));
        ASSERT_TRUE(made) << made.error().message;
    }
    void new_pod(EventLoop& loop, const std::string& name_space, const std::string& name,
                 const std::string& scope) const {
        const auto made =
            request(loop, "POST", fmt::format("/api/v1/namespaces/{}/pods", name_space),
                    fmt::format(R"({{"metadata":{{"name":"{}","labels":{{"cluster-name":"{}"}}}},)"
                                R"("spec":{{"containers":[{{"name":"c","image":"i"}}]}}}})",
                                name, scope));
        ASSERT_TRUE(made) << made.error().message;
    }
    // All that is older than now is compacted away, in etcd and, by a restart, in the API server's memory.
    void compact(EventLoop& loop) {
        const auto now = request(loop, "GET", "/api/v1/namespaces/default/configmaps");
        ASSERT_TRUE(now);
        HttpClient client(loop);
        std::optional<Result<HttpClientResponse>> answer;
        client.request("POST", etcd_url() + "/v3/kv/compaction", {},
                       fmt::format(R"({{"revision":"{}"}})",
                                   kube::text_in(*kube::object_in(*now, "metadata"), "resourceVersion")),
                       loop.clock().now() + kKubeLimit, [&](auto result) { answer = std::move(result); });
        loop.run_until([&] { return answer.has_value(); }, kKubeLimit);
    }

  private:
    std::string peer_url() const { return fmt::format("http://127.0.0.1:{}", peer_port_); }

    void openssl(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "/usr/bin/openssl");
        ASSERT_EQ(run_program(arguments, dir_.file("openssl.log")), 0) << dir_.file("openssl.log");
    }
    void make_certificates() const {
        std::ofstream(dir_.file("server.ext")) << "subjectAltName=IP:127.0.0.1,DNS:localhost\n";
        std::ofstream(dir_.file("client.ext")) << "extendedKeyUsage=clientAuth\n";
        for (const char* key : {"ca", "server", "client"})
            openssl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                     dir_.file(std::string(key) + ".key")});
        openssl({"pkey", "-in", dir_.file("server.key"), "-pubout", "-out", dir_.file("server.pub")});
        openssl({"req", "-x509", "-new", "-key", dir_.file("ca.key"), "-subj", "/CN=ca", "-days", "30",
                 "-out", dir_.file("ca.crt")});
        for (const auto& [name, subject] :
             {std::pair{"server", "/CN=server"}, {"client", "/O=system:masters/CN=admin"}}) {
            const std::string base = dir_.file(name);
            openssl({"req", "-new", "-key", base + ".key", "-subj", subject, "-out", base + ".csr"});
            openssl({"x509", "-req", "-in", base + ".csr", "-CA", dir_.file("ca.crt"), "-CAkey",
                     dir_.file("ca.key"), "-CAcreateserial", "-days", "30", "-extfile", base + ".ext", "-out",
                     base + ".crt"});
        }
    }
    std::string last_lines(const std::string& log) const {
        const std::string text = content(dir_.file(log));
        return log + ":\n" + text.substr(text.size() - std::min<std::size_t>(text.size(), 1500)) + "\n";
    }
    static std::string content(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::string write_kubeconfig(std::uint16_t at, const std::string& token_file) const {
        const std::string user = token_file.empty()
                                     ? fmt::format("{{client-certificate-data: {}, client-key-data: {}}}",
                                                   base64_encode(content(dir_.file("client.crt"))),
                                                   base64_encode(content(dir_.file("client.key"))))
                                     : fmt::format("{{tokenFile: '{}'}}", token_file);
        const std::string path =
            dir_.file(fmt::format("kubeconfig-{}{}.yaml", at, token_file.empty() ? "" : "-token"));
        std::ofstream(path) << fmt::format(
            "current-context: c\ncontexts:\n- name: c\n  context: {{cluster: k, user: u, namespace: "
            "default}}\n"
            "clusters:\n- name: k\n  cluster: {{server: 'https://127.0.0.1:{}', certificate-authority: "
            "'{}'}}\n"
            "users:\n- name: u\n  user: {}\n",
            at ? at : port_, dir_.file("ca.crt"), user);
        return path;
    }

    TempDir dir_;
    std::uint16_t port_ = free_port();
    std::uint16_t etcd_port_ = free_port();
    std::uint16_t peer_port_ = free_port();
    std::unique_ptr<Program> etcd_;
    std::unique_ptr<Program> server_;
};

// One for all tests of the program; each test takes a namespace of its own.
inline KubeServer& kube_server(EventLoop& loop) {
    static KubeServer server;
    static const bool ready = (server.wait(loop), true);
    EXPECT_TRUE(ready);
    return server;
}

inline std::string fresh_namespace(EventLoop& loop) {
    static int count = 0;
    std::string name = fmt::format("n{}", ++count);
    kube_server(loop).new_namespace(loop, name);
    return name;
}

// Passes bytes on between a client and the API server.
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
    // Nothing gets through the present connections any more, and nobody is told.
    void freeze() {
        for (const auto& link : links_) link->frozen = true;
    }
    // The next write reaches the server and its answer gets lost; plain HTTP only. After it, nothing gets
    // through for so long.
    bool lose_next_answer = false;
    Duration deaf_for{};
    std::size_t accepted = 0;

  private:
    using Socket = boost::asio::ip::tcp::socket;
    struct Link {
        explicit Link(Socket socket) : client(std::move(socket)), server(client.get_executor()) {}
        Socket client;
        Socket server;
        std::array<char, 16384> up{};
        std::array<char, 16384> down{};
        bool lose = false;
        bool frozen = false;
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
            boost::system::error_code failed;
            if (boottime_now() >= deaf_until_)
                link->server.connect({boost::asio::ip::address_v4::loopback(), target_}, failed);
            if (failed || boottime_now() < deaf_until_) {
                link->close();
            } else {
                links_.push_back(link);
                pump(link, link->client, link->server, link->up, true);
                pump(link, link->server, link->client, link->down, false);
            }
            accept();
        });
    }
    void pump(LinkPtr link, Socket& from, Socket& to, std::array<char, 16384>& buffer, bool up) {
        from.async_read_some(
            boost::asio::buffer(buffer), [this, link, &from, &to, &buffer, up](auto error, std::size_t size) {
                if (error || (!up && link->lose)) return link->close();
                if (link->frozen) return;
                const std::string_view text(buffer.data(), size);
                if (up && lose_next_answer && (text.starts_with("POST") || text.starts_with("PATCH"))) {
                    lose_next_answer = false;
                    link->lose = true;
                    deaf_until_ = boottime_now() + deaf_for;
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
    Instant deaf_until_;
    bool closed_ = false;
};

// `kubectl proxy`: the API without TLS, so that a Proxy in front of it sees requests.
class PlainKube {
  public:
    PlainKube(EventLoop& loop, KubeServer& server) : port_(free_port()) {
        program_ = std::make_unique<Program>(
            std::vector<std::string>{kube_program("kubectl"), "--kubeconfig=" + server.kubeconfig(), "proxy",
                                     "--reject-paths=^$", fmt::format("--port={}", port_)},
            server.file("proxy.log"));
        HttpClient client(loop);
        const auto up = [&] {
            std::optional<bool> answer;
            client.request("GET", fmt::format("http://127.0.0.1:{}/version", port_), {}, {},
                           loop.clock().now() + kKubeLimit,
                           [&](auto result) { answer = result.has_value(); });
            loop.run_until([&] { return answer.has_value(); }, kKubeLimit);
            return answer.value_or(false);
        };
        EXPECT_TRUE(poll(loop, up, kKubeLimit));
    }
    std::uint16_t port() const { return port_; }

  private:
    std::uint16_t port_;
    std::unique_ptr<Program> program_;
};

// Calls with a result that the test waits for.
class StoreCaller {
  public:
    explicit StoreCaller(EventLoop& loop) : loop_(loop) {}

    template <class T, class Call>
    Result<T> wait(Call call, Duration limit) {
        auto answer = std::make_shared<std::optional<Result<T>>>();
        call(loop_.clock().now() + limit, [answer](Result<T> result) { answer->emplace(std::move(result)); });
        if (!loop_.run_until([&] { return answer->has_value(); }, limit + kKubeLimit))
            return fail("no answer");
        return std::move(**answer);
    }
    Result<SnapshotPtr> load(Store& store, Duration limit = kKubeLimit) {
        return wait<SnapshotPtr>([&](Instant d, auto done) { store.load(d, std::move(done)); }, limit);
    }
    Result<Revision> swap(Store& store, Swap what, Duration limit = kKubeLimit) {
        return wait<Revision>([&](Instant d, auto done) { store.swap(std::move(what), d, std::move(done)); },
                              limit);
    }
    Result<Revision> put(Store& store, std::string key, std::string value, LeaseId lease = {},
                         Duration limit = kKubeLimit) {
        return swap(store, {std::move(key), Always{}, std::move(value), lease}, limit);
    }
    Result<LeaseId> grant(Store& store, Duration ttl) {
        return wait<LeaseId>([&](Instant d, auto done) { store.grant(ttl, d, std::move(done)); }, kKubeLimit);
    }
    Result<Duration> keep(Store& store, LeaseId lease, Duration limit = kKubeLimit) {
        return wait<Duration>([&](Instant d, auto done) { store.keep(lease, d, std::move(done)); }, limit);
    }
    Status revoke(Store& store, LeaseId lease) {
        return wait<void>([&](Instant d, auto done) { store.revoke(lease, d, std::move(done)); }, kKubeLimit);
    }

  private:
    EventLoop& loop_;
};

}  // namespace pgherd
