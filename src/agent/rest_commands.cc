#include "agent/rest_commands.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/rest_bodies.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/peer.h"

namespace pgherd::agent {
namespace {

std::unexpected<CommandAnswer> refuse(int status, std::string text) {
    return std::unexpected(CommandAnswer{status, std::move(text)});
}

// The body as an object. `optional`: no body at all counts as an empty object.
std::expected<JsonObject, CommandAnswer> read_body(const HttpRequest& request, bool optional) {
    bool has_length =
        request.headers.contains("content-length") || request.headers.contains("transfer-encoding");
    if (request.body.empty()) {
        if (optional) return JsonObject{};
        return has_length ? refuse(400, "the request needs a JSON object as its body")
                          : refuse(411, "Length Required");
    }
    auto body = parse_json_object(request.body);
    if (!body) return refuse(400, body.error().message);
    if (body->empty() && !optional) return refuse(400, "the JSON object is empty");
    return std::move(*body);
}

Commands::Answer as_answer(Reply reply) {
    return [reply = std::move(reply)](CommandAnswer answer) mutable {
        reply(text_answer(answer.status, std::move(answer.text)));
    };
}
Commands::Answer as_json_answer(Reply reply) {
    return [reply = std::move(reply)](CommandAnswer answer) mutable {
        if (answer.status == 200)
            return reply(HttpResponse{200, std::move(answer.text), "application/json", {}});
        reply(text_answer(answer.status, std::move(answer.text)));
    };
}

// Calls `go(body, reply)` with the checked body, or answers why not.
template <class Go>
void with_body(WriteCall& call, bool optional, Go go) {
    auto body = read_body(call.request, optional);
    if (!body) return call.reply(text_answer(body.error().status, std::move(body.error().text)));
    go(std::move(*body), std::move(call.reply));
}

// A text, empty when absent or null.
std::expected<std::string, CommandAnswer> read_text(const JsonObject& body, std::string_view key) {
    const Json* value = body.if_contains(key);
    if (!value || value->is_null()) return std::string();
    if (!value->is_string()) return refuse(400, fmt::format("\"{}\" must be a text", key));
    return std::string(value->get_string());
}

std::expected<bool, CommandAnswer> read_flag(const JsonObject& body, std::string_view key) {
    const Json* value = body.if_contains(key);
    if (!value || value->is_null()) return false;
    if (!value->is_bool()) return refuse(400, fmt::format("\"{}\" must be true or false", key));
    return value->get_bool();
}

// A time with a zone ends in "Z" or in "+hh:mm".
bool has_zone(std::string_view time) {
    auto clock = time.find(':');
    return clock != std::string_view::npos && time.find_first_of("Z+-", clock) != std::string_view::npos;
}

std::expected<WallTime, CommandAnswer> read_schedule(std::string_view text, std::string_view action,
                                                     WallTime now) {
    auto at = parse_iso(text);
    if (!at && !has_zone(text) && parse_iso(std::string(text) + "Z"))
        return refuse(400, fmt::format("Timezone information is mandatory for the scheduled {}", action));
    if (!at)
        return refuse(
            422, "Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601");
    if (*at < now) return refuse(422, fmt::format("Cannot schedule {} in the past", action));
    return *at;
}

std::expected<Duration, CommandAnswer> read_timeout(const Json& value) {
    std::string text = value.is_string() ? std::string(value.get_string()) : to_text(value);
    auto timeout = parse_duration(text);
    if (!timeout || *timeout <= Duration::zero())
        return refuse(400, "Timeout should be a positive number of seconds");
    return *timeout;
}

std::expected<std::string, CommandAnswer> read_postgres_version(const Json& value) {
    std::string text = value.is_string() ? std::string(value.get_string()) : to_text(value);
    auto parts = split(text, '.');
    bool numbers =
        std::ranges::all_of(parts, [](const std::string& part) { return parse_uint(part).has_value(); });
    if (!numbers || parts.size() < 2 || parts.size() > 3)
        return refuse(400,
                      fmt::format("Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: {}", text));
    return text;
}

void hand_over(WriteCall& call, bool failover) {
    with_body(call, false, [&](const JsonObject& body, Reply reply) {
        auto wanted = read_switchover(body, failover, call.state.seen.wall);
        if (!wanted) return reply(text_answer(wanted.error().status, std::move(wanted.error().text)));
        call.commands.switchover(std::move(*wanted), as_answer(std::move(reply)));
    });
}

}  // namespace

HttpResponse text_answer(int status, std::string text) {
    return {status, std::move(text), "text/plain; charset=utf-8", {}};
}

std::expected<FailoverRequest, CommandAnswer> read_switchover(const JsonObject& body, bool failover,
                                                              WallTime now) {
    PGHERD_TRY(std::string leader, read_text(body, "leader"));
    PGHERD_TRY(std::string candidate, read_text(body, "candidate"));
    PGHERD_TRY(std::string scheduled_at, read_text(body, "scheduled_at"));
    if (candidate.empty()) {
        PGHERD_TRY(candidate, read_text(body, "member"));
    }
    // Patroni: a failover that names the leader is a switchover.
    if (!leader.empty()) failover = false;
    if (failover && candidate.empty())
        return refuse(400, "Failover could be performed only to a specific candidate");
    if (!failover && leader.empty())
        return refuse(400, "Switchover could be performed only from a specific leader");
    FailoverRequest request{MemberName(leader), MemberName(candidate), std::nullopt, {}};
    if (!scheduled_at.empty()) {
        if (failover) return refuse(400, "Failover can't be scheduled");
        PGHERD_TRY(request.scheduled_at, read_schedule(scheduled_at, "switchover", now));
    }
    if (leader == candidate) return refuse(400, "Switchover target and source are the same");
    return request;
}

std::expected<RestartRequest, CommandAnswer> read_restart(const JsonObject& body, WallTime now) {
    RestartRequest request;
    for (const auto& [name, value] : body) {
        std::string_view key(name);
        if (key == "schedule") {
            PGHERD_TRY(std::string at, read_text(body, key));
            PGHERD_TRY(request.schedule, read_schedule(at, "restart", now));
        } else if (key == "role") {
            PGHERD_TRY(std::string role, read_text(body, key));
            request.role = parse_role(role);
            if (request.role != Role::primary && request.role != Role::standby_leader &&
                request.role != Role::replica)
                return refuse(400, "PostgreSQL role should be either primary, standby_leader, or replica");
        } else if (key == "postgres_version") {
            PGHERD_TRY(request.postgres_version, read_postgres_version(value));
        } else if (key == "timeout") {
            PGHERD_TRY(request.timeout, read_timeout(value));
        } else if (key == "restart_pending") {
            PGHERD_TRY(request.restart_pending, read_flag(body, key));
        } else {
            return refuse(400, fmt::format("Unknown filter for the scheduled restart: {}", key));
        }
    }
    return request;
}

void patch_config(WriteCall call) {
    with_body(call, false, [&](JsonObject body, Reply reply) {
        call.commands.patch_config(std::move(body), as_json_answer(std::move(reply)));
    });
}

void put_config(WriteCall call) {
    with_body(call, false, [&](JsonObject body, Reply reply) {
        call.commands.put_config(std::move(body), as_json_answer(std::move(reply)));
    });
}

void post_switchover(WriteCall call) {
    hand_over(call, false);
}
void post_failover(WriteCall call) {
    hand_over(call, true);
}
void delete_switchover(WriteCall call) {
    call.commands.cancel_switchover(as_answer(std::move(call.reply)));
}

void post_restart(WriteCall call) {
    with_body(call, true, [&](const JsonObject& body, Reply reply) {
        auto wanted = read_restart(body, call.state.seen.wall);
        if (!wanted) return reply(text_answer(wanted.error().status, std::move(wanted.error().text)));
        call.commands.restart(std::move(*wanted), as_answer(std::move(reply)));
    });
}

void delete_restart(WriteCall call) {
    call.commands.cancel_restart(as_answer(std::move(call.reply)));
}
void post_reload(WriteCall call) {
    call.commands.reload(as_answer(std::move(call.reply)));
}

void post_reinitialize(WriteCall call) {
    with_body(call, true, [&](const JsonObject& body, Reply reply) {
        auto force = read_flag(body, "force");
        auto from_leader = read_flag(body, "from_leader");
        for (const auto* flag : {&force, &from_leader})
            if (!*flag) return reply(text_answer(flag->error().status, flag->error().text));
        call.commands.reinitialize(*force, *from_leader, as_answer(std::move(reply)));
    });
}

void post_failsafe(WriteCall call) {
    auto message = parse_failsafe_message(call.request.body);
    if (!message) return call.reply(text_answer(400, message.error().message));
    // What another member has promised or leads is not for this one to say: not even "no".
    const PeerIdentity self = identity(call.state);
    if (!self.may_be(message->to)) return call.reply(text_answer(421, "This is " + to_string(self)));
    auto answer = call.commands.failsafe(*message);
    if (!answer)
        return call.reply(
            text_answer(answer.error().code == ErrorCode::conflict ? 500 : 502, answer.error().message));
    answer->from = self;
    HttpResponse accepted = text_answer(200, "Accepted");
    accepted.headers = failsafe_answer_headers(*answer);
    call.reply(std::move(accepted));
}

}  // namespace pgherd::agent
