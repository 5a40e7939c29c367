// members/<name>: a member as it describes itself.
#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"
#include "codec/records.h"
#include "codec/tags.h"

namespace pgherd {
namespace {

// Takes known keys out of a record. What is left, also known keys with a value of an unknown form, is kept as
// it is.
class Fields {
  public:
    explicit Fields(JsonObject object) : object_(std::move(object)) {}

    // Calls `use` with the value; when it gives true the value was understood and is taken out.
    template <class Use>
    void take(std::string_view key, Use use) {
        auto found = object_.find(key);
        if (found != object_.end() && use(std::as_const(found->value()))) object_.stable_erase(found);
    }

    void text(std::string_view key, std::string& target) {
        take(key, [&](const Json& value) {
            if (value.is_string()) target = std::string(value.get_string());
            return value.is_string();
        });
    }

    void flag(std::string_view key, bool& target) {
        take(key, [&](const Json& value) {
            if (value.is_bool()) target = value.get_bool();
            return value.is_bool();
        });
    }

    template <class Strong>  // Lsn, Timeline
    void number(std::string_view key, std::optional<Strong>& target) {
        take(key, [&](const Json& value) {
            auto number = scalar_int(value);
            if (!number || *number < 0 || !std::in_range<decltype(Strong::value)>(*number)) return false;
            target = Strong{decltype(Strong::value)(*number)};
            return true;
        });
    }

    JsonObject rest() { return std::move(object_); }

  private:
    JsonObject object_;
};

std::string percent_decoded(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned code = 0;
        auto digits = text.substr(i + 1, text[i] == '%' ? 2 : 0);
        auto end = digits.data() + digits.size();
        bool coded = digits.size() == 2 && std::from_chars(digits.data(), end, code, 16).ptr == end;
        result += coded ? char(code) : text[i];
        if (coded) i += 2;
    }
    return result;
}

// Patroni before 1.0: "postgres://host:port/db?application_name=<api_url>".
Result<Member> parse_legacy_member(const MemberName& name, std::string_view url) {
    constexpr std::string_view kApiUrl = "application_name=";
    Member member;
    member.name = name;
    auto query = url.find('?');
    member.conn_url = std::string(url.substr(0, query));
    if (query != std::string_view::npos)
        for (const auto& option : split(url.substr(query + 1), '&'))
            if (option.starts_with(kApiUrl))
                member.api_url = percent_decoded(std::string_view(option).substr(kApiUrl.size()));
    if (!std::ranges::all_of(member.conn_url + member.api_url, [](char c) { return c > ' ' && c < 0x7f; }))
        return fail(ErrorCode::invalid, "cannot read the member's record: its URL has bytes that no URL has");
    return member;
}

bool read_pending_restart_reason(const Json& value, std::map<std::string, PendingRestartReason>& target) {
    if (!value.is_object()) return false;
    for (const auto& [name, reason] : value.get_object()) {
        if (!reason.is_object()) continue;
        auto text = [&](const char* key) {
            const Json* entry = reason.get_object().if_contains(key);
            return entry ? scalar_text(*entry).value_or("") : std::string();
        };
        target[std::string(name)] = {text("old_value"), text("new_value")};
    }
    return true;
}

bool read_scheduled_restart(const Json& value, std::optional<ScheduledRestart>& target) {
    if (!value.is_object()) return false;
    Mistakes ignored;
    Section section(value.get_object(), "", ignored);
    ScheduledRestart restart;
    std::string at, role;
    section.read("schedule", at);
    section.read("role", role);
    section.read("postmaster_start_time", restart.postmaster_start_time);
    section.read("postgres_version", restart.postgres_version);
    section.read("restart_pending", restart.restart_pending);
    if (section.has("timeout")) {
        restart.timeout = Duration{};
        section.read("timeout", *restart.timeout);
    }
    auto time = parse_iso(at);
    if (!time) return false;
    restart.at = *time;
    if (!role.empty()) restart.role = parse_role(role);
    target = std::move(restart);
    return true;
}

JsonObject to_json(const ScheduledRestart& restart) {
    JsonObject object;
    object["schedule"] = to_iso(restart.at);
    object["postmaster_start_time"] = restart.postmaster_start_time;
    if (restart.role) object["role"] = to_string(*restart.role);
    if (!restart.postgres_version.empty()) object["postgres_version"] = restart.postgres_version;
    if (restart.timeout)
        object["timeout"] = std::chrono::duration_cast<std::chrono::seconds>(*restart.timeout).count();
    if (restart.restart_pending) object["restart_pending"] = true;
    return object;
}

JsonObject to_json(const std::map<std::string, PendingRestartReason>& reasons) {
    JsonObject object;
    for (const auto& [name, reason] : reasons)
        object[name] = JsonObject{{"old_value", reason.old_value}, {"new_value", reason.new_value}};
    return object;
}

}  // namespace

Result<Member> parse_member(const MemberName& name, std::string_view value) {
    if (value.starts_with("postgres")) return parse_legacy_member(name, value);
    auto object = parse_json_object(value);
    if (!object)
        return std::unexpected(
            with_context(object.error(), fmt::format("cannot read member \"{}\"", name.text())));
    Member member;
    member.name = name;
    Fields fields(std::move(*object));
    fields.text("conn_url", member.conn_url);
    fields.text("api_url", member.api_url);
    fields.text("proxy_url", member.proxy_url);
    fields.text("version", member.version);
    fields.text("replication_state", member.replication_state);
    fields.take("state", [&](const Json& text) {
        auto state = text.is_string() ? parse_member_state(text.get_string()) : std::nullopt;
        member.state = state.value_or(MemberState::stopped);
        return state.has_value();
    });
    fields.take("role", [&](const Json& text) {
        auto role = text.is_string() ? parse_role(text.get_string()) : std::nullopt;
        member.role = role.value_or(Role::uninitialized);
        return role.has_value();
    });
    fields.take("tags", [&](const Json& tags) {
        if (tags.is_object()) member.tags = parse_tags(tags.get_object());
        return tags.is_object();
    });
    fields.flag("pending_restart", member.pending_restart);
    fields.flag("pause", member.pause);
    fields.flag("failsafe_votes", member.failsafe_votes);
    fields.take("checkpoint_after_promote", [&](const Json& flag) {
        if (flag.is_bool()) member.checkpoint_after_promote = flag.get_bool();
        return flag.is_bool();
    });
    fields.take("pending_restart_reason", [&](const Json& reasons) {
        return read_pending_restart_reason(reasons, member.pending_restart_reason);
    });
    fields.take("scheduled_restart", [&](const Json& restart) {
        return read_scheduled_restart(restart, member.scheduled_restart);
    });
    fields.number("xlog_location", member.xlog_location);
    fields.number("receive_lsn", member.receive_lsn);
    fields.number("replay_lsn", member.replay_lsn);
    fields.number("timeline", member.timeline);
    member.unknown = fields.rest();
    return member;
}

std::string write_member(const Member& member) {
    JsonObject object;
    object["conn_url"] = member.conn_url;
    object["api_url"] = member.api_url;
    object["state"] = to_string(member.state);
    object["role"] = to_string(member.role);
    object["version"] = member.version;
    if (!member.proxy_url.empty()) object["proxy_url"] = member.proxy_url;
    if (!member.tags.all.empty()) object["tags"] = member.tags.all;
    if (member.pending_restart) object["pending_restart"] = true;
    if (!member.pending_restart_reason.empty())
        object["pending_restart_reason"] = to_json(member.pending_restart_reason);
    auto number = [&](const char* key, const auto& value) {
        if (value) object[key] = value->value;
    };
    number("xlog_location", member.xlog_location);
    number("receive_lsn", member.receive_lsn);
    number("replay_lsn", member.replay_lsn);
    if (!member.replication_state.empty()) object["replication_state"] = member.replication_state;
    number("timeline", member.timeline);
    if (member.checkpoint_after_promote)
        object["checkpoint_after_promote"] = *member.checkpoint_after_promote;
    if (member.scheduled_restart) object["scheduled_restart"] = to_json(*member.scheduled_restart);
    if (member.pause) object["pause"] = true;
    if (member.failsafe_votes) object["failsafe_votes"] = true;
    for (const auto& [key, value] : member.unknown) object[key] = value;
    return to_text(object);
}

}  // namespace pgherd
