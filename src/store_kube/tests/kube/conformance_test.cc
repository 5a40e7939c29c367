// Kubernetes as a Store: what all backends must do, on a real API server, for each way to keep records and
// leases.
#include "kube_testing.h"
#include "ports/testing/store_conformance.h"

namespace pgherd {
namespace {

enum class Mode { config_maps, endpoints, leases };

class KubeBackend final : public StoreBackend {
  public:
    explicit KubeBackend(Mode mode)
        : mode_(mode),
          name_space_(fresh_namespace(loop_)),
          direct_(loop_, kube_server(loop_).port()),
          plain_(loop_, plain_kube(loop_).port(), is_write) {}

    // The first one without TLS, so that its answers can be lost.
    std::unique_ptr<Store> client() override {
        KubeServer& server = kube_server(loop_);
        KubernetesConfig config;
        config.namespace_ = name_space_;
        config.use_endpoints = mode_ == Mode::endpoints;
        config.leases = mode_ == Mode::leases;
        config.kubeconfig =
            clients_++ == 0 ? server.plain_kubeconfig(plain_.port()) : server.kubeconfig(direct_.port());
        auto store = open_kube_store(loop_, config, "c1", MemberName(fmt::format("m{}", clients_)));
        EXPECT_TRUE(store) << store.error().message;
        return store ? std::move(*store) : nullptr;
    }
    Clock& clock() override { return loop_.clock(); }
    bool run_until(const std::function<bool()>& condition, Duration limit) override {
        return loop_.run_until(condition, limit);
    }
    // In turn: connections break; they break and what is missed is compacted away; the API server restarts.
    bool interrupt() override {
        KubeServer& server = kube_server(loop_);
        const int kind = interruptions_++ % 3;
        if (kind > 0) server.stop();
        if (kind > 0) server.start();
        direct_.cut();
        plain_.cut();
        if (kind > 0) server.wait(loop_);
        if (kind == 1) server.compact(loop_);
        return true;
    }
    bool lose_next_answer() override {
        plain_.deaf_for = std::chrono::seconds(5);
        return plain_.lose_next_answer = true;
    }
    Duration expiry_slack() const override { return std::chrono::seconds(4); }

  private:
    static PlainKube& plain_kube(EventLoop& loop) {
        static PlainKube plain(loop, kube_server(loop));
        return plain;
    }

    EventLoop loop_;
    Mode mode_;
    std::string name_space_;
    Proxy direct_;
    Proxy plain_;
    int clients_ = 0;
    int interruptions_ = 0;
};

StoreBackendCase backend(std::string name, Mode mode) {
    return {std::move(name), [mode] { return std::make_unique<KubeBackend>(mode); }};
}

INSTANTIATE_TEST_SUITE_P(Kube, StoreConformance,
                         ::testing::Values(backend("config_maps", Mode::config_maps),
                                           backend("endpoints", Mode::endpoints),
                                           backend("leases", Mode::leases)),
                         store_backend_name);

}  // namespace
}  // namespace pgherd
