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

}  // namespace

Result<PeerStatus> parse_peer_status(std::string_view body) {
    PGHERD_TRY(JsonObject object, parse_json_object(body));
    const JsonObject* wal = object_in(object, "xlog");
    if (!wal) wal = object_in(object, "wal");
    if (!wal)
        return fail(ErrorCode::unavailable, "it does not know its WAL position (no \"xlog\" in the answer)");

    Mistakes ignored;
    Section section(object, "", ignored);
    std::string state, role, system_id;
    std::int64_t timeline = 0;
    section.read("state", state);
    section.read("role", role);
    section.read("timeline", timeline);
    section.read("database_system_identifier", system_id);

    PeerStatus status;
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
    if (auto id = parse_uint(system_id)) status.system_id = *id;
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
    return to_text(object);
}

}  // namespace pgherd
