#include "codec/peer.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"
#include "codec/tags.h"

namespace pgherd {
namespace {

Lsn lsn_in(const JsonObject& object, const char* key) {
    const Json* value = object.if_contains(key);
    auto number = value ? scalar_int(*value) : std::nullopt;
    return Lsn{std::uint64_t(std::max<std::int64_t>(number.value_or(0), 0))};
}

const JsonObject* object_in(const JsonObject& object, const char* key) {
    const Json* value = object.if_contains(key);
    return value ? value->if_object() : nullptr;
}

constexpr const char* kSystemId = "database_system_identifier";
constexpr const char* kMember = "member";  // header of who has answered

PeerIdentity identity_in(const JsonObject& names, const JsonObject& system) {
    Mistakes ignored;
    std::string name, system_id;
    PeerIdentity identity;
    Section section(names, "", ignored);
    section.read("name", name);
    section.read("scope", identity.scope);
    Section(system, "", ignored).read(kSystemId, system_id);
    identity.name = MemberName(std::move(name));
    if (const auto id = parse_uint(system_id)) identity.system_id = SystemId(*id);
    return identity;
}

JsonObject as_json(const PeerIdentity& identity) {
    JsonObject object{{"name", identity.name.text()}, {"scope", identity.scope}};
    if (identity.system_id != SystemId()) object[kSystemId] = std::to_string(identity.system_id.value());
    return object;
}

}  // namespace

Result<PeerStatus> parse_peer_status(std::string_view body) {
    PGHERD_TRY(JsonObject object, parse_json_object(body));
    const JsonObject* wal = object_in(object, "xlog");
    if (!wal) wal = object_in(object, "wal");
    if (!wal)
        return fail(ErrorCode::invalid, "it does not know its WAL position (no \"xlog\" in the answer)");

    Mistakes ignored;
    Section section(object, "", ignored);
    std::string state, role;
    std::int64_t timeline = 0;
    section.read("state", state);
    section.read("role", role);
    section.read("timeline", timeline);

    PeerStatus status;
    const JsonObject* names = object_in(object, "patroni");
    status.from = identity_in(names ? *names : JsonObject(), object);
    status.state = parse_member_state(state).value_or(MemberState::stopped);
    status.role = parse_role(role).value_or(Role::uninitialized);
    status.in_recovery = !(wal->contains("location") || status.role == Role::primary);
    status.position.timeline = Timeline{std::in_range<std::uint32_t>(timeline) ? std::uint32_t(timeline) : 0};
    status.position.lsn = status.in_recovery
                              ? std::max(lsn_in(*wal, "received_location"), lsn_in(*wal, "replayed_location"))
                              : lsn_in(*wal, "location");
    if (const JsonObject* all = object_in(object, "tags")) {
        Tags tags = parse_tags(*all);
        status.nofailover = !tags.may_lead();
        status.failover_priority = tags.may_lead() ? tags.failover_priority.value_or(1) : 0;
    }
    section.read("watchdog_failed", status.watchdog_failed);
    section.read("failsafe_mode_is_active", status.failsafe_bound);
    section.read("failsafe_mode_unknown", status.failsafe_unsure);
    section.read("pause", status.pause);
    return status;
}

Result<FailsafeMessage> parse_failsafe_message(std::string_view body) {
    PGHERD_TRY(JsonObject object, parse_json_object(body));
    Mistakes mistakes;
    Section section(object, "", mistakes);
    std::string name;
    FailsafeMessage message;
    section.read("name", name);
    section.read("conn_url", message.conn_url);
    section.read("api_url", message.api_url);
    section.read("ttl", message.ttl);
    std::int64_t leadership = 0;
    section.read("leadership", leadership);
    message.leadership = Revision(leadership);
    PGHERD_CHECK(mistakes.status());
    for (auto key : {"name", "conn_url", "api_url"})
        if (!section.has(key)) return fail(ErrorCode::invalid, fmt::format("key \"{}\": missing", key));
    message.name = MemberName(std::move(name));
    if (const JsonObject* to = object_in(object, "to")) message.to = identity_in(*to, *to);
    if (const JsonObject* slots = object_in(object, "slots"))
        for (const auto& [slot, position] : *slots)
            if (auto lsn = scalar_int(position); lsn && *lsn >= 0)
                message.slots[std::string(slot)] = Lsn{std::uint64_t(*lsn)};
    return message;
}

std::string write_failsafe_message(const FailsafeMessage& message) {
    JsonObject slots;
    for (const auto& [name, lsn] : message.slots) slots[name] = lsn.value;
    JsonObject object;
    object["name"] = message.name.text();
    object["conn_url"] = message.conn_url;
    object["api_url"] = message.api_url;
    object["slots"] = std::move(slots);
    if (message.ttl > Duration::zero())
        object["ttl"] = std::chrono::ceil<std::chrono::seconds>(message.ttl).count();
    if (message.leadership.value() != 0) object["leadership"] = message.leadership.value();
    if (message.to != PeerIdentity{}) object["to"] = as_json(message.to);
    return to_text(object);
}

Result<FailsafeAnswer> parse_failsafe_answer(int status, const std::map<std::string, std::string>& headers,
                                             std::string_view body) {
    // The agent itself says no with these; what stands between may say other things, and so does a member
    // that was not meant.
    const bool refused = status == 500 || status == 502;
    if (status != 200 || !trim(body).starts_with("Accepted"))
        return fail(refused ? ErrorCode::conflict : ErrorCode::unavailable,
                    fmt::format("{} {}", status, trim(body).substr(0, 200)));
    FailsafeAnswer answer;
    answer.voted = headers.contains("voted");
    if (const auto lsn = headers.find("lsn"); lsn != headers.end()) {
        const auto number = parse_uint(trim(lsn->second));
        answer.position = Lsn{number ? *number : 0};
    }
    if (const auto member = headers.find(kMember); member != headers.end())
        if (const auto object = parse_json_object(member->second))
            answer.from = identity_in(*object, *object);
    return answer;
}

std::vector<std::pair<std::string, std::string>> failsafe_answer_headers(const FailsafeAnswer& answer) {
    std::vector<std::pair<std::string, std::string>> headers{{"lsn", std::to_string(answer.position.value)}};
    if (answer.voted) headers.emplace_back("voted", "yes");
    if (answer.from != PeerIdentity{}) headers.emplace_back(kMember, to_text(as_json(answer.from)));
    return headers;
}

}  // namespace pgherd
