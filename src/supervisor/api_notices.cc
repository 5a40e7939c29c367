// /v1/notices: recording, listing, waiting.
#include <algorithm>
#include <array>

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

constexpr std::array<std::string_view, 3> kTypes{"custom", "change-update", "warning"};

Result<NoticeFilter> read_filter(const ApiRequest& request) {
    NoticeFilter filter;
    filter.user = request.caller.user;
    const auto users = request.http.parameter("users");
    const auto user = request.http.parameter("user-id");
    const bool admin = request.caller.access == Access::admin;
    if ((users || user) && !admin)
        return fail(ErrorCode::denied,
                    fmt::format("only admins may use the {} filter", users ? "\"users\"" : "\"user-id\""));
    if (users && user)
        return fail(ErrorCode::invalid, "cannot use both \"users\" and \"user-id\" parameters");
    if (users && *users != "all")
        return fail(ErrorCode::invalid, "invalid \"users\" filter: must be \"all\"");
    filter.all_users = users.has_value();
    if (user) {
        const auto id = parse_uint(*user);
        if (!id || *id > UINT32_MAX)
            return fail(ErrorCode::invalid, "invalid \"user-id\" filter: must be a number");
        filter.user = static_cast<std::uint32_t>(*id);
    }
    filter.types = list_parameter(request.http, "types");
    filter.keys = list_parameter(request.http, "keys");
    if (const auto after = request.http.parameter("after"); after && !after->empty()) {
        PGHERD_TRY(filter.after, parse_rfc3339(*after));
    }
    return filter;
}

HttpResponse matching(Daemon& daemon, const NoticeFilter& filter) {
    boost::json::array result;
    for (const Notice* notice : daemon.notices().matching(filter, daemon.clock().wall()))
        result.push_back(notice_json(*notice));
    return sync_answer(result);
}

GiveUp list(Daemon& daemon, ApiRequest& request, Respond respond) {
    if (!request.caller.user)
        return respond(error_answer(403, "cannot determine UID of request, so cannot retrieve notices")),
               GiveUp();
    auto filter = read_filter(request);
    if (!filter)
        return respond(error_answer(filter.error().code == ErrorCode::denied ? 403 : 400,
                                    filter.error().message)),
               GiveUp();
    // Types that do not exist match nothing, now or later.
    if (!filter->types.empty()) {
        std::erase_if(filter->types,
                      [](const auto& type) { return std::ranges::find(kTypes, type) == kTypes.end(); });
        if (filter->types.empty()) return respond(sync_answer(boost::json::array())), GiveUp();
    }
    Duration limit{};
    if (const auto text = request.http.parameter("timeout"); text && !text->empty()) {
        const auto parsed = parse_go_duration(*text);
        if (!parsed)
            return respond(error_answer(400, fmt::format("invalid timeout {}", go_quote(*text)))), GiveUp();
        limit = *parsed;
    }
    if (limit <= Duration{} || daemon.notices().any(*filter, daemon.clock().wall()))
        return respond(matching(daemon, *filter)), GiveUp();
    const Daemon::Ticket ticket = daemon.wait_for_notices(
        *filter, limit, [&daemon, filter = *filter, respond](bool) { respond(matching(daemon, filter)); });
    return [&daemon, ticket] { daemon.forget(ticket); };
}

HttpResponse show(Daemon& daemon, ApiRequest& request) {
    const auto id = parse_uint(request.path[0]);
    const Notice* notice = id ? daemon.notices().find(*id) : nullptr;
    if (!notice)
        return error_answer(404, fmt::format("cannot find notice with ID {}", go_quote(request.path[0])),
                            "not-found");
    if (request.caller.access != Access::admin && notice->user && notice->user != request.caller.user)
        return error_answer(403, "not allowed to access notice");
    return sync_answer(notice_json(*notice));
}

HttpResponse add(Daemon& daemon, ApiRequest& request) {
    if (!request.caller.user)
        return error_answer(403, "cannot determine UID of request, so cannot create notice");
    auto body = JsonBody::parse(request.body);
    if (!body) return bad_body(body.error());
    NoticeInput input;
    input.user = request.caller.user;
    const std::string action = body->text("action"), repeat = body->text("repeat-after");
    input.type = body->text("type");
    input.key = body->text("key");
    input.data = body->text_map("data");
    if (const Status read = body->status(); !read) return bad_body(read.error());
    if (action != "add") return error_answer(400, fmt::format("invalid action {}", go_quote(action)));
    if (!repeat.empty()) {
        const auto duration = parse_go_duration(repeat);
        if (!duration)
            return error_answer(400, fmt::format("invalid repeat-after: {}", duration.error().message));
        input.repeat_after = *duration;
    }
    if (const Status valid = validate_custom_notice(input); !valid)
        return error_answer(400, valid.error().message);
    const NoticeId id = daemon.notices().record(input, daemon.clock().wall()).id;
    return sync_answer(JsonObject{{"id", fmt::format("{}", id)}});
}

}  // namespace

std::vector<Route> notice_routes() {
    return {{"GET", "/v1/notices", Need::user, list},
            {"POST", "/v1/notices", Need::user, add},
            {"GET", "/v1/notices/{id}", Need::user, show}};
}

}  // namespace pgherd::supervisor
