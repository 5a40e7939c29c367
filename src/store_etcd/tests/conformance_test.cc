// etcd as a Store: what all backends must do, on a real etcd behind a proxy.
#include "etcd_testing.h"
#include "ports/testing/store_conformance.h"

namespace pgherd {
namespace {

// One etcd for all tests of the program; each backend has a prefix of its own.
class EtcdBackend final : public StoreBackend {
  public:
    EtcdBackend()
        : proxy_(loop_, server().port(), is_write), prefix_(fmt::format("/service/c{}/", ++count())) {}

    std::unique_ptr<Store> client() override {
        StoreConfig config = server().config();
        config.endpoints = {{"127.0.0.1", proxy_.port()}};
        auto store = open_etcd_store(loop_, config, prefix_);
        if (!store || !StoreCaller(loop_, kEtcdLimit).reachable(**store)) return nullptr;
        return std::move(*store);
    }
    Clock& clock() override { return loop_.clock(); }
    bool run_until(const std::function<bool()>& condition, Duration limit) override {
        return loop_.run_until(condition, limit);
    }

    // In turn: connections break; they break and the history of what is missed is compacted away; etcd
    // restarts.
    bool interrupt() override {
        const int kind = interruptions_++ % 3;
        if (kind == 1) compact();
        if (kind == 2) {
            server().stop();
            server().start();
        }
        proxy_.cut();
        return true;
    }
    bool lose_next_answer() override { return proxy_.lose_next_answer = true; }
    Duration expiry_slack() const override { return std::chrono::seconds(4); }

  private:
    void compact() {
        auto store = client();
        StoreCaller caller(loop_, kEtcdLimit);
        ASSERT_TRUE(caller.put(*store, "moved-on", "1"));
        const auto last = caller.put(*store, "moved-on", "2");
        ASSERT_TRUE(last);
        const auto done =
            etcd_request(loop_, fmt::format("http://127.0.0.1:{}/v3/kv/compaction", server().port()),
                         fmt::format(R"({{"revision":"{}"}})", last->value()));
        ASSERT_TRUE(done);
        EXPECT_EQ(done->status, 200) << done->body;
    }
    static EtcdServer& server() {
        static EtcdServer running;
        return running;
    }
    static int& count() {
        static int number = 0;
        return number;
    }

    EventLoop loop_;
    Proxy proxy_;
    std::string prefix_;
    int interruptions_ = 0;
};

std::unique_ptr<StoreBackend> make_backend() {
    if (etcd_program().empty()) return nullptr;
    return std::make_unique<EtcdBackend>();
}

INSTANTIATE_TEST_SUITE_P(Etcd, StoreConformance, ::testing::Values(StoreBackendCase{"etcd", make_backend}),
                         store_backend_name);

}  // namespace
}  // namespace pgherd
