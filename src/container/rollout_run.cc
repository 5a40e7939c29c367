#include "container/rollout_run.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <optional>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "codec/agent_config.h"
#include "codec/json.h"
#include "eventloop/log.h"
#include "eventloop/loop.h"
#include "eventloop/signals.h"
#include "eventloop/spawn.h"
#include "http/client.h"
#include "rollout/rollout.h"
#include "store_kube/api.h"
#include "store_kube/objects.h"

namespace pgherd::container {
namespace {

using namespace std::chrono_literals;
using kube::text_in;
namespace asio = boost::asio;
template <class T>
using Async = asio::awaitable<Result<T>>;

constexpr Duration kIdle = 5s;      // between two looks while there is nothing to do
constexpr Duration kUnderWay = 1s;  // and while there is
constexpr Duration kCallLimit = 10s;
constexpr Duration kSwitchoverLimit = 60s;
constexpr std::int64_t kSmallLag = 16 * 1024 * 1024;  // bytes; a standby that is so close is at full strength

std::int64_t number_of(const JsonObject& object, std::string_view key, std::int64_t fallback) {
    const Json* value = object.if_contains(key);
    return value && value->is_int64() ? value->get_int64() : fallback;
}

const JsonObject& object_of(const JsonObject& object, std::string_view key) {
    static const JsonObject kEmpty;
    const Json* value = object.if_contains(key);
    return value && value->is_object() ? value->get_object() : kEmpty;
}

const boost::json::array& list_of(const JsonObject& object, std::string_view key) {
    static const boost::json::array kEmpty;
    const Json* value = object.if_contains(key);
    return value && value->is_array() ? value->get_array() : kEmpty;
}

bool is_ready(const JsonObject& pod) {
    return std::ranges::any_of(list_of(object_of(pod, "status"), "conditions"), [](const Json& condition) {
        return condition.is_object() && text_in(condition.get_object(), "type") == "Ready" &&
               text_in(condition.get_object(), "status") == "True";
    });
}

struct MemberFacts {
    bool leads = false;
    bool well = false;
    bool synchronous = false;
    bool may_lead = true;
};

// What GET /cluster says.
struct ClusterFacts {
    bool paused = false;
    bool any_synchronous = false;
    std::string leader;
    std::map<std::string, MemberFacts> members;
};

ClusterFacts read_cluster(const JsonObject& body) {
    ClusterFacts facts;
    const Json* pause = body.if_contains("pause");
    facts.paused = pause && pause->is_bool() && pause->get_bool();
    for (const Json& entry : list_of(body, "members")) {
        if (!entry.is_object()) continue;
        const JsonObject& object = entry.get_object();
        const std::string role = text_in(object, "role"), state = text_in(object, "state");
        const JsonObject& tags = object_of(object, "tags");
        const Json* nofailover = tags.if_contains("nofailover");
        MemberFacts member;
        member.leads = role == "leader" || role == "standby_leader";
        member.well = member.leads ? state == "running"
                                   : state == "streaming" && number_of(object, "lag", kSmallLag) < kSmallLag;
        member.synchronous = role == "sync_standby" || role == "quorum_standby";
        member.may_lead = !(nofailover && nofailover->is_bool() && nofailover->get_bool());
        if (member.leads) facts.leader = text_in(object, "name");
        facts.any_synchronous = facts.any_synchronous || member.synchronous;
        facts.members[text_in(object, "name")] = member;
    }
    return facts;
}

class Rollout {
  public:
    Rollout(EventLoop& loop, std::string path, AgentConfig config, kube::Access access, Log& log)
        : path_(std::move(path)),
          config_(std::move(config)),
          log_(log),
          api_(loop, std::move(access), config_.store.kubernetes),
          agent_(loop, {.tls = config_.ctl.tls}),
          clock_(loop.clock()) {}

    asio::awaitable<void> run() {
        while (true) {
            const auto finished = co_await look();
            if (!finished) say(finished.error().message);
            co_await api_.sleep_until(clock_.now() + (finished && !*finished ? kUnderWay : kIdle));
        }
    }

  private:
    // One look and at most one step. Gives whether nothing is left to do.
    Async<bool> look() {
        // Passwords in files may have changed.
        if (auto config = load_agent_config(path_, current_environment())) config_ = std::move(*config);
        auto answer = co_await ask("GET", "/cluster", "", kCallLimit);
        if (!answer) co_return std::unexpected(std::move(answer).error());
        const ClusterFacts cluster = read_cluster(*answer);
        if (cluster.leader != config_.name.text()) co_return true;
        auto facts = co_await gather(cluster);
        if (!facts) co_return std::unexpected(std::move(facts).error());
        const rollout::Step step = rollout::next_step(*facts);
        if (!step.finished || step.why != said_) say(step.why);
        if (const auto* replace = std::get_if<rollout::Replace>(&step.what))
            co_return co_await evict(replace->pod);
        if (const auto* hand_over = std::get_if<rollout::Switchover>(&step.what))
            co_return co_await switch_over(hand_over->to);
        co_return step.finished;
    }

    Async<rollout::Facts> gather(const ClusterFacts& cluster) {
        const std::string& own = config_.name.text();
        auto set = co_await api_.call({.method = "GET",
                                       .path = fmt::format("/apis/apps/v1/namespaces/{}/statefulsets/{}",
                                                           api_.name_space(), own.substr(0, own.rfind('-')))},
                                      clock_.now() + kCallLimit);
        if (!set) co_return std::unexpected(std::move(set).error());
        auto pods = co_await api_.call(
            {.method = "GET",
             .path = fmt::format("/api/v1/namespaces/{}/pods?labelSelector={}%3D{}", api_.name_space(),
                                 config_.store.kubernetes.scope_label, config_.scope)},
            clock_.now() + kCallLimit);
        if (!pods) co_return std::unexpected(std::move(pods).error());
        rollout::Facts facts;
        facts.wanted = static_cast<int>(number_of(object_of(*set, "spec"), "replicas", 0));
        facts.paused = cluster.paused;
        const JsonObject& status = object_of(*set, "status");
        const std::string revision = text_in(status, "updateRevision");
        // The controller has not looked at the newest template yet.
        if (number_of(status, "observedGeneration", 0) !=
            number_of(object_of(*set, "metadata"), "generation", 0))
            co_return fail("the StatefulSet's change is not observed yet");
        for (const Json& entry : list_of(*pods, "items")) {
            if (!entry.is_object()) continue;
            const JsonObject& metadata = object_of(entry.get_object(), "metadata");
            const std::string name = text_in(metadata, "name");
            rollout::PodFacts pod{.name = MemberName(name)};
            pod.updated = text_in(object_of(metadata, "labels"), "controller-revision-hash") == revision;
            pod.leaving = metadata.contains("deletionTimestamp");
            if (const auto member = cluster.members.find(name); member != cluster.members.end()) {
                pod.leads = member->second.leads;
                pod.well = member->second.well && is_ready(entry.get_object());
                pod.can_lead = pod.well && member->second.may_lead &&
                               (member->second.synchronous || !cluster.any_synchronous);
            }
            facts.pods.push_back(std::move(pod));
        }
        std::ranges::sort(facts.pods, {}, &rollout::PodFacts::name);
        co_return facts;
    }

    // Through the eviction API, so that a PodDisruptionBudget has its say.
    Async<bool> evict(const MemberName& pod) {
        const JsonObject body{
            {"apiVersion", "policy/v1"},
            {"kind", "Eviction"},
            {"metadata", JsonObject{{"name", pod.text()}, {"namespace", api_.name_space()}}}};
        auto done = co_await api_.call(
            {.method = "POST",
             .path = fmt::format("/api/v1/namespaces/{}/pods/{}/eviction", api_.name_space(), pod.text()),
             .body = to_text(body)},
            clock_.now() + kCallLimit);
        if (!done)
            co_return std::unexpected(with_context(std::move(done).error(), "cannot replace " + pod.text()));
        co_return false;
    }

    Async<bool> switch_over(const MemberName& to) {
        const JsonObject body{{"leader", config_.name.text()}, {"candidate", to.text()}};
        auto done = co_await ask("POST", "/switchover", to_text(body), kSwitchoverLimit);
        if (!done) co_return std::unexpected(with_context(std::move(done).error(), "cannot hand over"));
        co_return false;
    }

    // The agent beside this process.
    Async<JsonObject> ask(std::string method, std::string path, std::string body, Duration limit) {
        HttpHeaders headers;
        if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
        if (!config_.ctl.username.empty())
            headers.push_back(basic_authorization(config_.ctl.username, config_.ctl.password));
        const std::string url =
            fmt::format("{}://{}{}", config_.restapi.tls.cert_file.empty() ? "http" : "https",
                        to_string(config_.restapi.connect_address), path);
        const Instant deadline = clock_.now() + limit;
        auto answer =
            co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<HttpClientResponse>)>(
                [&](auto handler) {
                    agent_.request(
                        std::move(method), url, std::move(headers), std::move(body), deadline,
                        [handler = std::move(handler)](Result<HttpClientResponse> response) mutable {
                            std::move(handler)(std::move(response));
                        });
                },
                asio::use_awaitable);
        if (!answer) co_return std::unexpected(std::move(answer).error());
        if (answer->status / 100 != 2) co_return fail(fmt::format("{} {}", answer->status, answer->body));
        auto object = parse_json_object(answer->body);
        co_return object ? std::move(*object) : JsonObject{};
    }

    void say(const std::string& text) {
        if (text != said_) log_.info("rollout", text);
        said_ = text;
    }

    std::string path_;
    AgentConfig config_;
    Log& log_;
    kube::Api api_;
    HttpClient agent_;
    Clock& clock_;
    std::string said_ = "every pod is as it should be";
};

}  // namespace

Status run_rollout(const std::string& agent_config) {
    PGHERD_TRY(AgentConfig config, load_agent_config(agent_config, current_environment()));
    if (config.store.kind != StoreKind::kubernetes)
        return fail(ErrorCode::invalid, "a rollout needs Kubernetes, and this cluster is not there");
    PGHERD_TRY(kube::Access access, kube::find_access(config.store.kubernetes, current_environment()));
    EventLoop loop;
    LogWriter log("rollout");
    const Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { loop.stop(); });
    Rollout rollout(loop, agent_config, std::move(config), std::move(access), log);
    spawn(loop, rollout.run());
    loop.run();
    return {};
}

}  // namespace pgherd::container
