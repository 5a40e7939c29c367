// Watches that the API lets down, against an API that does what a test says.
#include "store_kube/watches.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "eventloop/loop.h"
#include "http/server.h"

namespace pgherd::kube {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLimit = 10s;
const LeaseId kLease(7);

// One cluster "c" whose objects are ConfigMaps. Nothing is ever seen by a watch.
class FrozenApi {
  public:
    explicit FrozenApi(EventLoop& loop) {
        auto server = HttpServer::listen(
            loop, {.listen = {"127.0.0.1", 0}},
            [this](HttpRequest request, auto respond) { answer(request, std::move(respond)); });
        EXPECT_TRUE(server) << server.error().message;
        server_ = std::move(*server);
    }
    Access access() const {
        Access access;
        access.servers = {fmt::format("http://127.0.0.1:{}", server_->port())};
        access.namespace_ = "n";
        return access;
    }

    int lists = 0;
    int reads = 0;
    int deletions = 0;
    int version = 5;  // of the lease, as it is
    int shown = 5;    // as lists show it
    bool expired = false;

  private:
    using Respond = std::move_only_function<void(HttpResponse)>;

    void answer(const HttpRequest& request, Respond respond) {
        const bool one = request.path.find("-lease-") != std::string::npos;
        if (request.method == "DELETE") {
            ++deletions;
            return respond({200, R"({"kind":"Status","status":"Success"})", "application/json", {}});
        }
        if (request.parameter("watch")) {
            if (expired) return respond({410, R"({"kind":"Status","code":410})", "application/json", {}});
            return held_.push_back(std::move(respond));
        }
        if (one) {
            ++reads;
            return respond({200, lease(version), "application/json", {}});
        }
        const bool main = request.path.ends_with("/configmaps");
        lists += main ? 1 : 0;
        respond({200,
                 fmt::format(R"({{"metadata":{{"resourceVersion":"{}"}},"items":[{}]}})", shown,
                             main ? lease(shown) : ""),
                 "application/json",
                 {}});
    }
    static std::string lease(int version) {
        return fmt::format(
            R"({{"metadata":{{"name":"c-lease-{:016x}","uid":"u","resourceVersion":"{}",)"
            R"("labels":{{"cluster-name":"c"}},"annotations":{{"pgherd.dev/ttl":"300ms"}}}}}})",
            kLease.value(), version);
    }

    std::vector<Respond> held_;
    std::unique_ptr<HttpServer> server_;
};

class FrozenWatchTest : public ::testing::Test {
  protected:
    EventLoop loop_;
    FrozenApi server_{loop_};
    KubernetesConfig config_;
    Layout layout_{config_, "c"};
    Api api_{loop_, server_.access(), config_};
    Knowledge knowledge_{layout_};
    Writer writer_{loop_, api_, layout_, knowledge_};
    Leases leases_{loop_, writer_, knowledge_, layout_, config_, "m"};
    Watches watches_{loop_, api_, writer_, leases_, knowledge_, layout_};
};

TEST_F(FrozenWatchTest, DoesNotKeepALeaseThatHasEndedAndDoesNotAskWithoutPause) {
    const auto watch = watches_.add([](Result<SnapshotPtr>) {});
    ASSERT_TRUE(loop_.run_until([&] { return server_.lists == 1; }, kLimit));
    server_.version = 6;  // renewed once, unseen by the watch
    EXPECT_FALSE(loop_.run_until([&] { return server_.reads > 20; }, 1500ms));
    EXPECT_GE(server_.reads, 2);
    server_.shown = 6;
    EXPECT_TRUE(loop_.run_until([&] { return server_.deletions == 1; }, kLimit));
}

TEST_F(FrozenWatchTest, ReadsAListThatIsTooOldAtOnceNotWithoutPause) {
    server_.expired = true;
    const auto watch = watches_.add([](Result<SnapshotPtr>) {});
    EXPECT_FALSE(loop_.run_until([&] { return server_.lists > 3; }, 1500ms));
    EXPECT_TRUE(loop_.run_until([&] { return server_.lists > 2; }, kLimit));
}

}  // namespace
}  // namespace pgherd::kube
