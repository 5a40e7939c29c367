// /v1/plan and /v1/layers.
#include <fmt/format.h>

#include "supervise/go_text.h"
#include "supervise/layer_yaml.h"
#include "supervisor/api.h"
#include "supervisor/daemon.h"
#include "supervisor/envelope.h"
#include "supervisor/json_body.h"

namespace pgherd::supervisor {
namespace {

constexpr std::size_t kMaxLayer = 8 * 1024 * 1024;

HttpResponse get_plan(Daemon& daemon, ApiRequest& request) {
    const std::string format = request.http.parameter("format").value_or("");
    if (format != "yaml")
        return error_answer(400, fmt::format("invalid format {}", supervise::go_quote(format)));
    HttpResponse response;
    response.body = daemon.plan_answer();
    return response;
}

HttpResponse post_layers(Daemon& daemon, ApiRequest& request) {
    auto body = JsonBody::parse(request.body);
    if (!body) return bad_body(body.error());
    const std::string action = body->text("action"), format = body->text("format"),
                      label = body->text("label");
    const bool combine = body->flag("combine"), inner = body->flag("inner");
    const std::string yaml = body->text("layer");
    if (const Status read = body->status(); !read) return bad_body(read.error());
    if (action != "add")
        return error_answer(400, fmt::format("invalid action {}", supervise::go_quote(action)));
    if (label.empty()) return error_answer(400, "label must be set");
    if (format != "yaml")
        return error_answer(400, fmt::format("invalid format {}", supervise::go_quote(format)));
    auto layer = supervise::parse_layer(0, label, yaml);
    if (!layer) return error_answer(400, "cannot parse layer YAML: " + layer.error().message);
    const Status added = daemon.add_layer(std::move(*layer), combine, inner);
    if (added) return sync_answer(true);
    return error_answer(added.error().code == ErrorCode::invalid ? 400 : 500, added.error().message);
}

}  // namespace

std::vector<Route> plan_routes() {
    return {{"GET", "/v1/plan", Need::admin, get_plan},
            {"POST", "/v1/layers", Need::admin, post_layers, kMaxLayer}};
}

}  // namespace pgherd::supervisor
