// A real kube-apiserver on a real etcd for the tests, without nodes: pods can be created as bare objects.
//
// The programs are those of `tests/kube` (one binary under several names); PGHERD_KUBE_BIN says where they
// are. Access by a client certificate of a CA made here, or by service account tokens made by the API server.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/testing/program.h"
#include "base/testing/temp_dir.h"
#include "base/text.h"
#include "codec/json.h"
#include "eventloop/loop.h"
#include "eventloop/testing/proxy.h"
#include "eventloop/testing/store_caller.h"
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

// What Proxy::lose_next_answer means here; it must see plain HTTP.
inline bool is_write(std::string_view request) {
    return request.starts_with("POST") || request.starts_with("PATCH") || request.starts_with("DELETE");
}

}  // namespace pgherd
