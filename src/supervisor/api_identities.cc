// /v1/identities.
#include <fmt/format.h>

#include "supervise/go_text.h"
#include "supervisor/api.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/json_body.h"

namespace pgherd::supervisor {

using namespace supervise;

namespace {

HttpResponse list(Daemon& daemon, ApiRequest&) {
    return sync_answer(daemon.identities().with_secrets_hidden());
}

Status change(Identities& identities, const std::string& action, const IdentityInput& input) {
    if (action == "add") return identities.add(input);
    if (action == "update") return identities.update(input);
    if (action == "replace") return identities.replace(input);
    if (action == "remove") return identities.remove(input);
    return fail(ErrorCode::invalid,
                fmt::format("invalid action {}, must be \"add\", \"update\", \"replace\", or "
                            "\"remove\"",
                            go_quote(action)));
}

HttpResponse post(Daemon& daemon, ApiRequest& request) {
    auto body = JsonBody::parse(request.body);
    if (!body) return bad_body(body.error());
    const std::string action = body->text("action");
    const Json* given = body->find("identities");
    if (const Status read = body->status(); !read) return bad_body(read.error());
    if (!given || !given->is_object()) return error_answer(400, "must specify identities");
    const auto input = parse_identities(given->get_object());
    if (!input) return error_answer(400, input.error().message);
    Identities changed = daemon.identities();
    if (const Status done = change(changed, action, *input); !done)
        return error_answer(400, done.error().message);
    std::swap(daemon.identities(), changed);
    if (const Status kept = daemon.keep_identities(); !kept) {
        std::swap(daemon.identities(), changed);
        return error_answer(500, kept.error().message);
    }
    return sync_answer(nullptr);
}

}  // namespace

std::vector<Route> identity_routes() {
    return {{"GET", "/v1/identities", Need::user, list}, {"POST", "/v1/identities", Need::admin, post}};
}

}  // namespace pgherd::supervisor
