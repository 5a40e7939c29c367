#include "agent/rest.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/rest_auth.h"
#include "agent/rest_bodies.h"
#include "agent/rest_commands.h"
#include "agent/rest_health.h"
#include "agent/rest_metrics.h"
#include "codec/json.h"
#include "codec/records.h"

namespace pgherd::agent {
namespace {

HttpResponse json_answer(int status, const JsonObject& body) {
    return {status, to_text(Json(body)), "application/json", {}};
}

HttpResponse json_or_502(const std::optional<JsonObject>& body, std::string_view what) {
    return body ? json_answer(200, *body) : text_answer(502, std::string(what));
}

struct ReadEndpoint {
    std::string_view path;
    HttpResponse (*answer)(const AgentState&, const HttpRequest&);
};

constexpr std::array kReads{
    ReadEndpoint{"/patroni", [](const AgentState& state,
                                const HttpRequest&) { return json_answer(200, patroni_body(state)); }},
    ReadEndpoint{"/cluster", [](const AgentState& state,
                                const HttpRequest&) { return json_answer(200, cluster_body(state)); }},
    ReadEndpoint{"/history",
                 [](const AgentState& state, const HttpRequest&) {
                     const auto& view = state.seen.cluster;
                     return HttpResponse{200,
                                         write_history(view ? view->history : std::vector<HistoryLine>()),
                                         "application/json",
                                         {}};
                 }},
    ReadEndpoint{"/config",
                 [](const AgentState& state, const HttpRequest&) {
                     return json_or_502(config_body(state), "there is no valid configuration in the store");
                 }},
    ReadEndpoint{"/failsafe",
                 [](const AgentState& state, const HttpRequest&) {
                     return json_or_502(failsafe_body(state), "failsafe mode is off");
                 }},
    ReadEndpoint{"/metrics",
                 [](const AgentState& state, const HttpRequest&) {
                     return HttpResponse{
                         200, metrics_text(state), "text/plain; version=0.0.4; charset=utf-8", {}};
                 }},
    ReadEndpoint{"/liveness",
                 [](const AgentState& state, const HttpRequest&) {
                     return HttpResponse{liveness_status(state), {}, "text/plain", {}};
                 }},
    ReadEndpoint{"/readiness",
                 [](const AgentState& state, const HttpRequest& request) {
                     return HttpResponse{readiness_status(state, request), {}, "text/plain", {}};
                 }},
};

struct WriteEndpoint {
    std::string_view method;
    std::string_view path;
    void (*call)(WriteCall);
    Caller caller = Caller::anyone;
};

constexpr std::array kWrites{
    WriteEndpoint{"PATCH", "/config", patch_config},
    WriteEndpoint{"PUT", "/config", put_config},
    WriteEndpoint{"POST", "/switchover", post_switchover},
    WriteEndpoint{"POST", "/failover", post_failover},
    WriteEndpoint{"DELETE", "/switchover", delete_switchover},
    WriteEndpoint{"POST", "/restart", post_restart},
    WriteEndpoint{"DELETE", "/restart", delete_restart},
    WriteEndpoint{"POST", "/reload", post_reload},
    WriteEndpoint{"POST", "/reinitialize", post_reinitialize},
    WriteEndpoint{"POST", "/failsafe", post_failsafe, Caller::member},
};

HttpResponse read(const AgentState& state, const HttpRequest& request) {
    auto endpoint = std::ranges::find(kReads, request.path, &ReadEndpoint::path);
    if (endpoint != kReads.end()) return endpoint->answer(state, request);
    if (auto status = health_status(state, request)) return json_answer(*status, patroni_body(state));
    return text_answer(404, "there is no " + request.path);
}

}  // namespace

void RestApi::handle(HttpRequest request, Reply reply) {
    const auto& extra = state_.config.restapi.http_extra_headers;
    bool head = request.method == "HEAD" || request.method == "OPTIONS";
    if (head || request.method == "GET") {
        if (request.path == "/patroni" && request.parameter("candidate")) commands_.asked_by_candidate();
        HttpResponse response = read(state_, request);
        if (head)
            response.body.clear();
        else if (!response.body.empty())
            response.headers.insert(response.headers.end(), extra.begin(), extra.end());
        return reply(std::move(response));
    }
    Reply answer = [extra, reply = std::move(reply)](HttpResponse response) mutable {
        response.headers.insert(response.headers.end(), extra.begin(), extra.end());
        reply(std::move(response));
    };
    auto endpoint = std::ranges::find_if(kWrites, [&](const WriteEndpoint& candidate) {
        return candidate.method == request.method && candidate.path == request.path;
    });
    if (endpoint == kWrites.end())
        return answer(text_answer(501, "Unsupported method (" + request.method + " " + request.path + ")"));
    if (auto refusal = refuse_access(state_, request, endpoint->caller)) return answer(std::move(*refusal));
    endpoint->call({request, state_, commands_, std::move(answer)});
}

}  // namespace pgherd::agent
