// A real etcd for the tests.
#pragma once

#include <filesystem>
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
#include "eventloop/loop.h"
#include "eventloop/testing/proxy.h"
#include "eventloop/testing/store_caller.h"
#include "http/client.h"
#include "store_etcd/store_etcd.h"

namespace pgherd {

inline constexpr Duration kEtcdLimit = std::chrono::seconds(15);

inline std::string etcd_program() {
    for (const char* path : {"/usr/bin/etcd", "/usr/local/bin/etcd"})
        if (std::filesystem::exists(path)) return path;
    return {};
}

// One etcd, a cluster of its own. The heartbeat is short, so that it elects itself at once and leases may be
// short.
class EtcdServer {
  public:
    explicit EtcdServer(std::vector<std::string> more = {}, const std::string& scheme = "http") {
        const std::string client = fmt::format("{}://127.0.0.1:{}", scheme, port_);
        const std::string peer = fmt::format("http://127.0.0.1:{}", free_port());
        std::vector<std::string> arguments{etcd_program(),
                                           "--name=t",
                                           "--data-dir=" + dir_.file("data"),
                                           "--listen-client-urls=" + client,
                                           "--advertise-client-urls=" + client,
                                           "--listen-peer-urls=" + peer,
                                           "--initial-advertise-peer-urls=" + peer,
                                           "--initial-cluster=t=" + peer,
                                           "--heartbeat-interval=20",
                                           "--election-timeout=200",
                                           "--logger=zap"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        program_ = std::make_unique<Program>(std::move(arguments), dir_.file("log"));
    }

    void start() { program_->start(); }
    void stop() { program_->stop(); }
    void pause() const { program_->pause(); }
    void resume() const { program_->resume(); }
    std::uint16_t port() const { return port_; }
    StoreConfig config() const {
        StoreConfig config;
        config.kind = StoreKind::etcd;
        config.endpoints = {{"127.0.0.1", port_}};
        return config;
    }

  private:
    TempDir dir_;
    std::uint16_t port_ = free_port();
    std::unique_ptr<Program> program_;
};

// What Proxy::lose_next_answer means here.
inline bool is_write(std::string_view request) {
    return request.contains("/kv/txn") || request.contains("/lease/");
}

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
