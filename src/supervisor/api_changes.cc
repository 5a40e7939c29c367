// /v1/changes: listing, aborting, waiting.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "supervise/go_text.h"
#include "supervise/wire.h"
#include "supervisor/api.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/json_body.h"

namespace pgherd::supervisor {

using namespace supervise;

namespace {

HttpResponse list(Daemon& daemon, ApiRequest& request) {
    const std::string select = request.http.parameter("select").value_or("");
    const std::string service = request.http.parameter("for").value_or("");
    if (!select.empty() && select != "all" && select != "ready" && select != "in-progress")
        return error_answer(400, "select should be one of: all,in-progress,ready");
    boost::json::array result;
    for (const auto& [id, change] : daemon.changes().changes()) {
        if (select == "ready" ? !change.ready : (select != "all" && change.ready)) continue;
        if (!service.empty() && std::ranges::find(change.subjects, service) == change.subjects.end())
            continue;
        result.push_back(change_json(daemon.changes(), change));
    }
    return sync_answer(result);
}

const Change* find(Daemon& daemon, const std::string& text) {
    const auto id = parse_uint(text);
    return id ? daemon.changes().find(*id) : nullptr;
}

HttpResponse unknown(const std::string& id) {
    return error_answer(404, fmt::format("cannot find change with id {}", go_quote(id)), "not-found");
}

HttpResponse show(Daemon& daemon, ApiRequest& request) {
    const Change* change = find(daemon, request.path[0]);
    return change ? sync_answer(change_json(daemon.changes(), *change)) : unknown(request.path[0]);
}

HttpResponse abort(Daemon& daemon, ApiRequest& request) {
    const Change* change = find(daemon, request.path[0]);
    if (!change) return unknown(request.path[0]);
    auto body = JsonBody::parse(request.body);
    if (!body) return bad_body(body.error(), true);
    const std::string action = body->text("action");
    if (const Status read = body->status(); !read) return bad_body(read.error(), true);
    if (action != "abort")
        return error_answer(400, fmt::format("change action {} is unsupported", go_quote(action)));
    const Status aborted = daemon.changes().abort(change->id, {}, daemon.clock().wall());
    if (!aborted) return error_answer(400, aborted.error().message);
    daemon.settle();
    return sync_answer(change_json(daemon.changes(), *change));
}

GiveUp wait(Daemon& daemon, ApiRequest& request, Respond respond) {
    const Change* change = find(daemon, request.path[0]);
    if (!change) return respond(unknown(request.path[0])), GiveUp();
    std::optional<Duration> limit;
    if (const auto text = request.http.parameter("timeout"); text && !text->empty()) {
        const auto parsed = parse_go_duration(*text);
        if (!parsed || *parsed < Duration{})
            return respond(error_answer(400, fmt::format("invalid timeout: {}", go_quote(*text)))), GiveUp();
        limit = *parsed;
    }
    const ChangeId id = change->id;
    const auto answer = [&daemon, id, limit, respond](bool ready) {
        const Change* found = daemon.changes().find(id);
        if (ready && found) return respond(sync_answer(change_json(daemon.changes(), *found)));
        respond(error_answer(504, fmt::format("timed out waiting for change after {}",
                                              go_duration(limit.value_or(Duration{})))));
    };
    if (change->ready) return answer(true), GiveUp();
    const Daemon::Ticket ticket = daemon.wait_for_change(id, limit, answer);
    return [&daemon, ticket] { daemon.forget(ticket); };
}

}  // namespace

std::vector<Route> change_routes() {
    return {{"GET", "/v1/changes/{id}/wait", Need::user, wait},
            {"GET", "/v1/changes", Need::user, list},
            {"GET", "/v1/changes/{id}", Need::user, show},
            {"POST", "/v1/changes/{id}", Need::admin, abort}};
}

}  // namespace pgherd::supervisor
