// GET /v1/system-info, /v1/health: what probes ask every few seconds, so without detours.
#include "supervisor/api.h"
#include "supervisor/checks.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"

namespace pgherd::supervisor {
namespace {

HttpResponse system_info(Daemon& daemon, ApiRequest&) {
    JsonObject result{{"boot-id", daemon.boot_id()}, {"version", daemon.options().version}};
    if (!daemon.http_address.empty()) result["http-address"] = daemon.http_address;
    return sync_answer(result);
}

constexpr std::string_view kHealthy =
    R"({"type":"sync","status-code":200,"status":"OK","result":{"healthy":true}})";
constexpr std::string_view kUnhealthy =
    R"({"type":"sync","status-code":502,"status":"Bad Gateway","result":{"healthy":false}})";

HttpResponse health(Daemon& daemon, ApiRequest& request) {
    std::string_view level;
    std::vector<std::string> names;
    for (const auto& [key, value] : request.http.query)
        if (key == "level") level = value;
    if (!level.empty() && level != "alive" && level != "ready")
        return error_answer(400, "level must be \"alive\" or \"ready\"");
    if (!request.http.query.empty()) names = list_parameter(request.http, "names");
    const bool healthy = daemon.checks().healthy(level, names);
    HttpResponse response;
    response.status = healthy ? 200 : 502;
    response.body = healthy ? kHealthy : kUnhealthy;
    return response;
}

}  // namespace

std::vector<Route> system_routes() {
    // The first of all routes, as it is the one that is asked for most.
    return {{"GET", "/v1/health", Need::open, health}, {"GET", "/v1/system-info", Need::open, system_info}};
}

}  // namespace pgherd::supervisor
