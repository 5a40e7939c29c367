// /v1/checks: listing, starting, stopping, running one now.
#include <algorithm>

#include <fmt/format.h>

#include "supervise/go_text.h"
#include "supervisor/api.h"
#include "supervisor/checks.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/json_body.h"

namespace pgherd::supervisor {

using namespace supervise;

namespace {

JsonObject describe(const std::string& name, const Checks::Entry& entry) {
    const CheckMachine& machine = entry.machine;
    const Check& check = machine.config();
    JsonObject object{{"name", name}};
    if (!check.level.empty()) object["level"] = check.level;
    object["startup"] = check.enabled() ? "enabled" : "disabled";
    const std::string_view status = to_string(machine.status());
    object["status"] = boost::json::string_view(status.data(), status.size());
    object["successes"] = machine.successes();
    if (machine.failures() > 0) object["failures"] = machine.failures();
    object["threshold"] = check.effective_threshold();
    if (entry.change) object["change-id"] = fmt::format("{}", *entry.change);
    if (entry.previous_change) object["prev-change-id"] = fmt::format("{}", *entry.previous_change);
    return object;
}

HttpResponse list(Daemon& daemon, ApiRequest& request) {
    const std::string level = request.http.parameter("level").value_or("");
    if (!level.empty() && level != "alive" && level != "ready")
        return error_answer(400, "level must be \"alive\" or \"ready\"");
    const std::vector<std::string> names = list_parameter(request.http, "names");
    boost::json::array result;
    for (const auto& [name, entry] : daemon.checks().all()) {
        if (!level.empty() && entry.machine.config().level != level) continue;
        if (!names.empty() && std::ranges::find(names, name) == names.end()) continue;
        result.push_back(describe(name, entry));
    }
    return sync_answer(result);
}

HttpResponse act(Daemon& daemon, ApiRequest& request) {
    auto body = JsonBody::parse(request.body);
    if (!body) return bad_body(body.error(), true);
    const std::string action = body->text("action");
    const std::vector<std::string> names = body->texts("checks");
    if (const Status read = body->status(); !read) return bad_body(read.error(), true);
    if (action != "start" && action != "stop")
        return error_answer(400, fmt::format("invalid action {}", go_quote(action)));
    if (names.empty()) return error_answer(400, fmt::format("must specify checks for {} action", action));
    const auto changed = action == "start" ? daemon.checks().start(names) : daemon.checks().stop(names);
    if (!changed)
        return error_answer(400, fmt::format("cannot {} checks: {}", action, changed.error().message));
    return sync_answer(JsonObject{{"changed", boost::json::array(changed->begin(), changed->end())}});
}

GiveUp refresh(Daemon& daemon, ApiRequest& request, Respond respond) {
    auto body = JsonBody::parse(request.body);
    if (!body) return respond(bad_body(body.error(), true)), GiveUp();
    const std::string name = body->text("name");
    if (const Status read = body->status(); !read) return respond(bad_body(read.error(), true)), GiveUp();
    if (name.empty()) return respond(error_answer(400, "must specify check name")), GiveUp();
    const auto answer = [&daemon, name, respond](const std::optional<std::string>& error) {
        const auto entry = daemon.checks().all().find(name);
        JsonObject result;
        if (entry != daemon.checks().all().end()) result["info"] = describe(name, entry->second);
        if (error) result["error"] = *error;
        respond(sync_answer(result));
    };
    if (!daemon.checks().refresh(name, answer))
        respond(
            error_answer(404, fmt::format("cannot find check with name {}", go_quote(name)), "not-found"));
    return {};
}

}  // namespace

std::vector<Route> check_routes() {
    return {{"GET", "/v1/checks", Need::user, list},
            {"POST", "/v1/checks", Need::admin, act},
            {"POST", "/v1/checks/refresh", Need::admin, refresh}};
}

}  // namespace pgherd::supervisor
