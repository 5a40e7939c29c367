// What Kubernetes alone promises: Patroni's objects and labels, leases that only observers can end, outages,
// credentials, permissions.
#include <fstream>

#include "kube_testing.h"

namespace pgherd {
namespace {

using namespace std::chrono_literals;
using kube::object_in;
using kube::text_in;

class KubeStoreTest : public ::testing::Test {
  protected:
    std::unique_ptr<Store> open(const std::function<void(KubernetesConfig&)>& change = {},
                                const std::string& self = "") {
        KubernetesConfig config;
        config.namespace_ = name_space_;
        config.kubeconfig = server_.kubeconfig();
        if (change) change(config);
        auto store = open_kube_store(loop_, config, "c1", MemberName(self));
        EXPECT_TRUE(store) << store.error().message;
        return store ? std::move(*store) : nullptr;
    }
    std::string path(const std::string& kind, const std::string& name) const {
        return fmt::format("/api/v1/namespaces/{}/{}/{}", name_space_, kind, name);
    }
    JsonObject metadata(const std::string& kind, const std::string& name) {
        const auto object = server_.request(loop_, "GET", path(kind, name));
        EXPECT_TRUE(object) << object.error().message;
        return object ? *object_in(*object, "metadata") : JsonObject{};
    }
    std::string annotation(const std::string& kind, const std::string& name, const std::string& key) {
        const JsonObject data = metadata(kind, name);
        const JsonObject* annotations = object_in(data, "annotations");
        return annotations ? text_in(*annotations, key) : "";
    }
    std::string label(const std::string& pod, const std::string& key) {
        const JsonObject data = metadata("pods", pod);
        const JsonObject* labels = object_in(data, "labels");
        return labels ? text_in(*labels, key) : "";
    }
    void patch(const std::string& kind, const std::string& name, const std::string& annotations) {
        const auto done = server_.request(loop_, "PATCH", path(kind, name),
                                          fmt::format(R"({{"metadata":{{"annotations":{}}}}})", annotations));
        ASSERT_TRUE(done) << done.error().message;
    }
    bool run_until(const std::function<bool()>& condition, Duration limit = kKubeLimit) {
        return poll(loop_, condition, limit);
    }
    void pass(Duration time) {
        loop_.run_until([] { return false; }, time);
    }

    EventLoop loop_;
    KubeServer& server_ = kube_server(loop_);
    std::string name_space_ = fresh_namespace(loop_);
    StoreCaller call_{loop_, kKubeLimit};
};

// What a watch shows, and whether the leader was ever away.
class Seen {
  public:
    explicit Seen(Store& store)
        : watch_(store.watch([this](Result<SnapshotPtr> result) {
              if (!result) {
                  ++troubles;
                  return;
              }
              last = *result;
              const bool leader = last->records.contains("leader");
              lost_leader = lost_leader || (had_leader && !leader);
              had_leader = had_leader || leader;
          })) {}

    bool shows(const std::string& key, const std::optional<std::string>& value) const {
        if (!last) return false;
        const auto found = last->records.find(key);
        return found == last->records.end() ? !value : found->second.value == value;
    }
    SnapshotPtr last;
    int troubles = 0;
    bool had_leader = false;
    bool lost_leader = false;

  private:
    std::unique_ptr<Watch> watch_;
};

const std::string kPrimary =
    R"({"conn_url":"postgres://10.0.0.1:5432/postgres","api_url":"http://10.0.0.1:8008/patroni","state":"running","role":"primary"})";
const std::string kReplica =
    R"({"conn_url":"postgres://10.0.0.2:5432/postgres","api_url":"http://10.0.0.2:8008/patroni","state":"running","role":"replica"})";

TEST_F(KubeStoreTest, PatroniFindsWhatItKnows) {
    const auto store = open();
    const auto lease = call_.grant(*store, 30s);
    ASSERT_TRUE(lease) << lease.error().message;
    ASSERT_TRUE(call_.put(*store, "leader", "m1", *lease));
    ASSERT_TRUE(call_.put(*store, "status", R"({"optime":77,"slots":{"m1":77},"retain_slots":["m1"]})"));
    ASSERT_TRUE(call_.put(*store, "config", R"({"ttl":30})"));
    ASSERT_TRUE(call_.put(*store, "initialize", "123"));
    ASSERT_TRUE(call_.put(*store, "sync", R"({"leader":"m1","quorum":0,"sync_standby":"m2"})"));
    EXPECT_EQ(annotation("configmaps", "c1-leader", "leader"), "m1");
    EXPECT_EQ(annotation("configmaps", "c1-leader", "ttl"), "30");
    EXPECT_EQ(annotation("configmaps", "c1-leader", "transitions"), "0");
    EXPECT_EQ(annotation("configmaps", "c1-leader", "optime"), "77");
    EXPECT_EQ(annotation("configmaps", "c1-config", "initialize"), "123");
    EXPECT_EQ(annotation("configmaps", "c1-sync", "sync_standby"), "m2");
    const std::string renewed = annotation("configmaps", "c1-leader", "renewTime");
    ASSERT_TRUE(call_.keep(*store, *lease));
    EXPECT_NE(annotation("configmaps", "c1-leader", "renewTime"), renewed) << "Patroni looks at this";
    EXPECT_EQ(annotation("configmaps", "c1-leader", "acquireTime"), renewed);
    ASSERT_TRUE(call_.revoke(*store, *lease));
    EXPECT_EQ(annotation("configmaps", "c1-leader", "leader"), "");
    EXPECT_EQ(annotation("configmaps", "c1-leader", "optime"), "77");
}

TEST_F(KubeStoreTest, AMemberIsItsPodAndItsRoleALabel) {
    for (const char* pod : {"m1", "m2"}) server_.new_pod(loop_, name_space_, pod, "c1");
    const auto one = open({}, "m1");
    const auto two = open({}, "m2");
    Seen seen(*two);
    const auto lease_one = call_.grant(*one, 30s);
    const auto lease_two = call_.grant(*two, 30s);
    ASSERT_TRUE(lease_one && lease_two);
    ASSERT_TRUE(call_.put(*one, "leader", "m1", *lease_one));
    ASSERT_TRUE(call_.put(*one, "members/m1", kPrimary, *lease_one));
    ASSERT_TRUE(call_.put(*two, "members/m2", kReplica, *lease_two));
    EXPECT_TRUE(seen.shows("members/m2", kReplica)) << "an own write is seen before it is answered";
    EXPECT_EQ(annotation("pods", "m1", "status"), kPrimary);
    EXPECT_EQ(label("m1", "role"), "primary");
    EXPECT_EQ(label("m2", "role"), "replica");
    const auto snapshot = call_.load(*two);
    ASSERT_TRUE(snapshot);
    EXPECT_EQ((*snapshot)->records.at("members/m1").lease, *lease_one);
    EXPECT_TRUE(run_until([&] { return seen.shows("members/m1", kPrimary); }));

    ASSERT_TRUE(call_.revoke(*one, *lease_one));
    EXPECT_EQ(label("m1", "role"), "") << "no Service leads to a primary that has gone";
    EXPECT_EQ(annotation("pods", "m1", "status"), "");
    EXPECT_TRUE(run_until([&] { return seen.shows("members/m1", {}) && seen.shows("leader", {}); }));

    ASSERT_TRUE(server_.request(loop_, "DELETE", path("pods", "m2") + "?gracePeriodSeconds=0"));
    EXPECT_TRUE(run_until([&] { return seen.shows("members/m2", {}); })) << "a member goes with its pod";
}

TEST_F(KubeStoreTest, AMemberDoesNotSpeakForThePodThatReplacedItsOwn) {
    server_.new_pod(loop_, name_space_, "m1", "c1");
    const auto old = open({}, "m1");
    Seen seen(*old);
    ASSERT_TRUE(call_.put(*old, "members/m1", kPrimary));
    ASSERT_TRUE(server_.request(loop_, "DELETE", path("pods", "m1") + "?gracePeriodSeconds=0"));
    server_.new_pod(loop_, name_space_, "m1", "c1");
    ASSERT_TRUE(run_until([&] { return seen.shows("members/m1", {}); }));
    const auto written = call_.put(*old, "members/m1", kPrimary);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::denied) << written.error().message;
    EXPECT_EQ(label("m1", "role"), "");
}

TEST_F(KubeStoreTest, ADeadPrimarysLabelGoesWithItsLease) {
    for (const char* pod : {"m1", "m2"}) server_.new_pod(loop_, name_space_, pod, "c1");
    auto one = open({}, "m1");
    const auto two = open({}, "m2");
    Seen seen(*two);
    const auto lease = call_.grant(*one, 1s);
    ASSERT_TRUE(lease);
    ASSERT_TRUE(call_.put(*one, "leader", "m1", *lease));
    ASSERT_TRUE(call_.put(*one, "members/m1", kPrimary, *lease));
    one.reset();
    ASSERT_TRUE(run_until([&] { return seen.had_leader && seen.shows("leader", {}); }));
    EXPECT_TRUE(seen.shows("members/m1", {}));
    EXPECT_TRUE(run_until([&] { return label("m1", "role").empty(); }));
    EXPECT_TRUE(run_until([&] { return annotation("configmaps", "c1-leader", "leader").empty(); }));
}

TEST_F(KubeStoreTest, EndpointsLeadToTheLeader) {
    const auto with_ip = [](const std::string& ip) {
        return [ip](KubernetesConfig& config) {
            config.use_endpoints = true;
            config.pod_ip = ip;
            config.ports = {{"postgresql", 5432, ""}};
        };
    };
    const auto one = open(with_ip("10.0.0.1"), "m1");
    const auto two = open(with_ip("10.0.0.2"), "m2");
    const auto address = [&] {
        const auto endpoints = server_.request(loop_, "GET", path("endpoints", "c1"));
        const Json* subsets = endpoints ? endpoints->if_contains("subsets") : nullptr;
        return subsets && !subsets->get_array().empty()
                   ? text_in(subsets->at(0).at("addresses").at(0).get_object(), "ip")
                   : std::string();
    };
    const auto lease_one = call_.grant(*one, 30s);
    const auto lease_two = call_.grant(*two, 30s);
    ASSERT_TRUE(lease_one && lease_two);
    ASSERT_TRUE(call_.put(*one, "leader", "m1", *lease_one));
    EXPECT_EQ(address(), "10.0.0.1");
    ASSERT_TRUE(call_.swap(*one, {"leader", IfValue{"m1"}, std::nullopt, {}}));
    EXPECT_EQ(address(), "");
    ASSERT_TRUE(call_.swap(*two, {"leader", IfAbsent{}, "m2", *lease_two}));
    EXPECT_EQ(address(), "10.0.0.2");
    EXPECT_EQ(annotation("endpoints", "c1", "transitions"), "1");
    ASSERT_TRUE(call_.put(*one, "sync", R"({"leader":"m2","quorum":0,"sync_standby":null})"));
    const JsonObject sync = metadata("endpoints", "c1-sync");
    EXPECT_TRUE(object_in(sync, "annotations")->contains("control-plane.alpha.kubernetes.io/leader"))
        << "or the endpoints controller deletes it";
}

TEST_F(KubeStoreTest, ALockThatPatroniHasTakenEndsTheHoldersLease) {
    const auto store = open();
    Seen seen(*store);
    const auto lease = call_.grant(*store, 30s);
    ASSERT_TRUE(lease);
    ASSERT_TRUE(call_.put(*store, "leader", "m1", *lease));
    patch(
        "configmaps", "c1-leader",
        R"({"leader":"p1","acquireTime":"2026-01-01","renewTime":"2026-01-01","ttl":"1","transitions":"1"})");
    ASSERT_TRUE(run_until([&] { return seen.shows("leader", "p1"); }));
    const auto kept = call_.keep(*store, *lease);
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, ErrorCode::not_found) << kept.error().message;
    // Nobody renews it in Patroni's way.
    EXPECT_TRUE(run_until([&] { return seen.shows("leader", {}); }));
    EXPECT_EQ(annotation("configmaps", "c1-leader", "leader"), "");
}

TEST_F(KubeStoreTest, AFrozenWatchEndsNobodysLease) {
    Proxy proxy(loop_, server_.port());
    const auto holder = open();
    const auto observer = open([&](auto& config) { config.kubeconfig = server_.kubeconfig(proxy.port()); });
    Seen seen(*observer);
    const auto lease = call_.grant(*holder, 1s);
    ASSERT_TRUE(lease);
    ASSERT_TRUE(call_.put(*holder, "leader", "m1", *lease));
    ASSERT_TRUE(run_until([&] { return seen.shows("leader", "m1"); }));
    proxy.freeze();
    for (int i = 0; i < 16; ++i) {
        ASSERT_TRUE(call_.keep(*holder, *lease));
        pass(250ms);
    }
    EXPECT_FALSE(seen.lost_leader);
    const auto snapshot = call_.load(*holder);
    ASSERT_TRUE(snapshot);
    EXPECT_TRUE((*snapshot)->records.contains("leader"));
}

TEST_F(KubeStoreTest, AnOutageOfTheApiEndsNoLease) {
    const auto holder = open();
    const auto observer = open();
    Seen seen(*observer);
    const auto lease = call_.grant(*holder, 2s);
    ASSERT_TRUE(lease);
    ASSERT_TRUE(call_.put(*holder, "leader", "m1", *lease));
    ASSERT_TRUE(run_until([&] { return seen.shows("leader", "m1"); }));
    for (const bool stopped : {true, false}) {
        ASSERT_TRUE(call_.keep(*holder, *lease));
        if (stopped)
            server_.stop();
        else
            server_.pause();
        pass(5s);
        const int troubles = seen.troubles;
        if (stopped)
            server_.start();
        else
            server_.resume();
        EXPECT_TRUE(run_until([&] { return call_.keep(*holder, *lease, 1s).has_value(); })) << stopped;
        EXPECT_TRUE(run_until([&] { return seen.shows("leader", "m1"); }));
        if (stopped) EXPECT_EQ(troubles, 1);
    }
    EXPECT_FALSE(seen.lost_leader);
    EXPECT_TRUE(run_until([&] { return seen.lost_leader; })) << "it ends when its holder has gone";
}

TEST_F(KubeStoreTest, NeighboursInOneObjectDoNotDisturbEachOther) {
    const auto one = open();
    const auto two = open();
    std::array<int, 2> done{};
    std::array<Revision, 2> revision;
    const std::array<std::string, 2> keys{"config", "history"};
    const std::array<Store*, 2> stores{one.get(), two.get()};
    for (std::size_t i = 0; i < 2; ++i) {
        const auto first = call_.put(*stores[i], keys[i], "0");
        ASSERT_TRUE(first);
        revision[i] = *first;
    }
    std::array<std::function<void()>, 2> step;
    for (std::size_t i = 0; i < 2; ++i)
        step[i] = [&, i] {
            if (done[i] == 40) return;
            stores[i]->swap({keys[i], IfRevision{revision[i]}, std::to_string(done[i] + 1), {}},
                            loop_.clock().now() + kKubeLimit, [&, i](Result<Revision> result) {
                                ASSERT_TRUE(result) << result.error().message;
                                revision[i] = *result;
                                ++done[i];
                                step[i]();
                            });
        };
    step[0]();
    step[1]();
    EXPECT_TRUE(run_until([&] { return done[0] == 40 && done[1] == 40; }));
    const auto snapshot = call_.load(*one);
    ASSERT_TRUE(snapshot);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ((*snapshot)->records.at(keys[i]).value, "40");
        EXPECT_EQ((*snapshot)->records.at(keys[i]).modified, revision[i]);
    }
}

TEST_F(KubeStoreTest, ALostAnswerIsFoundOutByReading) {
    PlainKube plain(loop_, server_);
    Proxy proxy(loop_, plain.port(), is_write);
    const auto store =
        open([&](auto& config) { config.kubeconfig = server_.plain_kubeconfig(proxy.port()); });
    Seen seen(*store);
    proxy.lose_next_answer = true;
    const auto created = call_.swap(*store, {"rule", IfAbsent{}, "1", {}});
    ASSERT_TRUE(created) << created.error().message;
    proxy.lose_next_answer = true;
    const auto changed = call_.swap(*store, {"rule", IfRevision{*created}, "2", {}});
    ASSERT_TRUE(changed) << changed.error().message;
    EXPECT_FALSE(proxy.lose_next_answer);
    const auto snapshot = call_.load(*store);
    ASSERT_TRUE(snapshot);
    EXPECT_EQ((*snapshot)->records.at("rule").modified, *changed);
}

TEST_F(KubeStoreTest, ATokenIsReadAgainWhenItIsReplaced) {
    const std::string account = fmt::format("/api/v1/namespaces/{}/serviceaccounts", name_space_);
    ASSERT_TRUE(server_.request(loop_, "POST", account, R"({"metadata":{"name":"pg"}})"));
    const auto token =
        server_.request(loop_, "POST", account + "/pg/token", R"({"spec":{"expirationSeconds":600}})");
    ASSERT_TRUE(token) << token.error().message;
    const std::string rights = fmt::format("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/", name_space_);
    // Exactly what README.md asks for.
    ASSERT_TRUE(server_.request(
        loop_, "POST", rights + "roles",
        R"({"metadata":{"name":"pg"},"rules":[)"
        R"({"apiGroups":[""],"resources":["configmaps"],"verbs":["get","list","watch","create","patch","delete"]},)"
        R"({"apiGroups":[""],"resources":["pods"],"verbs":["get","list","watch","patch"]}]})"));
    ASSERT_TRUE(server_.request(
        loop_, "POST", rights + "rolebindings",
        fmt::format(
            R"({{"metadata":{{"name":"pg"}},"roleRef":{{"apiGroup":"rbac.authorization.k8s.io","kind":"Role",)"
            R"("name":"pg"}},"subjects":[{{"kind":"ServiceAccount","name":"pg","namespace":"{}"}}]}})",
            name_space_)));
    server_.new_pod(loop_, name_space_, "m1", "c1");
    const std::string file = server_.file("token-" + name_space_);
    std::ofstream(file) << "an old one";
    const auto store =
        open([&](auto& config) { config.kubeconfig = server_.kubeconfig_with_token_file(file); }, "m1");
    const auto refused = call_.load(*store, 2s);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::denied) << refused.error().message;

    std::ofstream(file) << text_in(*object_in(*token, "status"), "token") << "\n";
    Seen seen(*store);
    Result<LeaseId> lease = fail("");
    ASSERT_TRUE(run_until([&] { return (lease = call_.grant(*store, 1s)).has_value(); }));
    ASSERT_TRUE(call_.put(*store, "members/m1", kReplica, *lease));
    ASSERT_TRUE(call_.put(*store, "leader", "m1", *lease));
    ASSERT_TRUE(call_.put(*store, "rule", "1"));
    ASSERT_TRUE(call_.swap(*store, {"rule", Always{}, std::nullopt, {}}));
    ASSERT_TRUE(run_until([&] { return seen.shows("leader", "m1"); }));
    EXPECT_TRUE(run_until([&] { return seen.shows("leader", {}); })) << "it may end leases";
}

TEST_F(KubeStoreTest, AnotherServerIsUsedWhenOneIsDead) {
    const auto store = open([&](auto& config) {
        config.hosts = {fmt::format("https://127.0.0.1:{}", free_port()), server_.url()};
    });
    ASSERT_TRUE(call_.put(*store, "config", "{}", {}, 5s));
    Seen seen(*store);
    EXPECT_TRUE(run_until([&] { return seen.shows("config", "{}"); }));
}

TEST_F(KubeStoreTest, AMissingPermissionIsNamed) {
    const auto store = open([&](auto& config) { config.namespace_ = name_space_ + "-none"; });
    const auto written = call_.put(*store, "config", "{}", {}, 5s);
    ASSERT_FALSE(written);
    EXPECT_NE(written.error().message.find(name_space_ + "-none"), std::string::npos)
        << written.error().message;
}

TEST_F(KubeStoreTest, ObjectsOfOthersAreLeftAlone) {
    ASSERT_TRUE(server_.request(loop_, "POST", fmt::format("/api/v1/namespaces/{}/configmaps", name_space_),
                                R"({"metadata":{"name":"c1-rule","labels":{"cluster-name":"c1-r"}}})"));
    ASSERT_TRUE(server_.request(
        loop_, "POST", fmt::format("/api/v1/namespaces/{}/configmaps", name_space_),
        R"({"metadata":{"name":"c1-mine","labels":{"cluster-name":"c1"}},"data":{"a":"b"}})"));
    const auto store = open();
    EXPECT_FALSE(call_.put(*store, "rule", "1"));
    const auto snapshot = call_.load(*store);
    ASSERT_TRUE(snapshot);
    EXPECT_TRUE((*snapshot)->records.empty());
    KubernetesConfig config;
    config.namespace_ = name_space_;
    config.kubeconfig = server_.kubeconfig();
    const auto clusters = find_kube_clusters(loop_, config, kKubeLimit);
    ASSERT_TRUE(clusters) << clusters.error().message;
    EXPECT_EQ(*clusters, (std::set<std::string>{"c1", "c1-r"}));
}

}  // namespace
}  // namespace pgherd
