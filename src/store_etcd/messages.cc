#include "store_etcd/messages.h"

#include <array>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"

namespace pgherd::etcd {

namespace {

// gRPC's status codes that etcd uses.
enum Code : int {
    kDeadlineExceeded = 4,
    kInvalidArgument = 3,
    kNotFound = 5,
    kPermissionDenied = 7,
    kResourceExhausted = 8,
    kFailedPrecondition = 9,
    kUnavailable = 14,
    kUnauthenticated = 16,
};

Json number(std::int64_t value) {
    return Json(std::to_string(value));
}
Json bytes(std::string_view value) {
    return Json(base64_encode(value));
}

// The first key behind all those with the prefix.
std::string prefix_end(std::string prefix) {
    while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
    if (prefix.empty()) return std::string(1, '\0');
    prefix.back() = static_cast<char>(prefix.back() + 1);
    return prefix;
}

std::int64_t number_in(const JsonObject& object, const char* name) {
    const Json* value = object.if_contains(name);
    if (!value) return 0;
    if (value->is_int64()) return value->get_int64();
    if (!value->is_string()) return 0;
    const auto parsed = parse_int(std::string_view(value->get_string()));
    return parsed ? *parsed : 0;
}

const JsonObject* object_in(const JsonObject& object, const char* name) {
    const Json* value = object.if_contains(name);
    return value ? value->if_object() : nullptr;
}

std::string_view text_in(const JsonObject& object, const char* name) {
    const Json* value = object.if_contains(name);
    return value && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

bool flag_in(const JsonObject& object, const char* name) {
    const Json* value = object.if_contains(name);
    return value && value->is_bool() && value->get_bool();
}

Revision revision_of(const JsonObject& message) {
    const JsonObject* header = object_in(message, "header");
    return Revision(header ? number_in(*header, "revision") : 0);
}

// Not etcd's, so it tells nothing of what was done.
std::unexpected<Error> no_revision() {
    return fail(ErrorCode::unavailable, "cannot understand etcd: an answer without a revision",
                Certainty::maybe_done);
}

JsonObject compare_for(const Swap& swap, const std::string& key) {
    JsonObject compare{{"key", bytes(key)}, {"result", "EQUAL"}};
    if (const auto* revision = std::get_if<IfRevision>(&swap.expect)) {
        compare["target"] = "MOD";
        compare["mod_revision"] = number(revision->modified.value());
    } else if (const auto* value = std::get_if<IfValue>(&swap.expect)) {
        compare["target"] = "VALUE";
        compare["value"] = bytes(value->value);
    } else {
        compare["target"] = "CREATE";
        compare["create_revision"] = number(0);
    }
    return compare;
}

struct KeyValue {
    std::string key;  // without the prefix
    Record record;
};

Result<KeyValue> parse_key_value(const JsonObject& object, const std::string& prefix) {
    KeyValue result;
    PGHERD_TRY(std::string key, base64_decode(text_in(object, "key")));
    if (!key.starts_with(prefix))
        return fail(ErrorCode::invalid, fmt::format("a record outside of {}: {}", prefix, key));
    result.key = key.substr(prefix.size());
    PGHERD_TRY(result.record.value, base64_decode(text_in(object, "value")));
    result.record.created = Revision(number_in(object, "create_revision"));
    result.record.modified = Revision(number_in(object, "mod_revision"));
    result.record.lease = LeaseId(number_in(object, "lease"));
    return result;
}

Status apply_event(const JsonObject& event, const std::string& prefix, Snapshot& snapshot) {
    const JsonObject* kv = object_in(event, "kv");
    if (!kv) return fail(ErrorCode::invalid, "an event without a record");
    PGHERD_TRY(KeyValue changed, parse_key_value(*kv, prefix));
    snapshot.revision = std::max(snapshot.revision, changed.record.modified);
    if (text_in(event, "type") == "DELETE")
        snapshot.records.erase(changed.key);
    else
        snapshot.records[std::move(changed.key)] = std::move(changed.record);
    return {};
}

Failure failure_in(const JsonObject& object) {
    const std::string_view message = text_in(object, "message");
    // Within a stream the code is called grpc_code.
    const char* code = object.contains("grpc_code") ? "grpc_code" : "code";
    return {static_cast<int>(number_in(object, code)),
            std::string(message.empty() ? text_in(object, "error") : message)};
}

// Refused before anything was proposed to the cluster.
bool certainly_not_done(std::string_view message) {
    static constexpr std::array<std::string_view, 5> kRefusals{
        "no leader", "proposal dropped", "too many requests", "not capable", "not a primary lessor"};
    for (const std::string_view refusal : kRefusals)
        if (message.find(refusal) != std::string_view::npos) return true;
    return false;
}

}  // namespace

std::string range_message(const std::string& prefix) {
    return to_text(Json(JsonObject{{"key", bytes(prefix)}, {"range_end", bytes(prefix_end(prefix))}}));
}

std::string txn_message(const std::string& prefix, const Swap& swap) {
    const std::string key = prefix + swap.key;
    JsonObject message;
    if (!std::holds_alternative<Always>(swap.expect))
        message["compare"] = boost::json::array{compare_for(swap, key)};
    JsonObject action;
    if (swap.value)
        action["request_put"] = JsonObject{
            {"key", bytes(key)}, {"value", bytes(*swap.value)}, {"lease", number(swap.lease.value())}};
    else
        action["request_delete_range"] = JsonObject{{"key", bytes(key)}};
    message["success"] = boost::json::array{action};
    return to_text(Json(message));
}

std::string watch_message(const std::string& prefix, Revision from) {
    const JsonObject create{{"key", bytes(prefix)},
                            {"range_end", bytes(prefix_end(prefix))},
                            {"start_revision", number(from.value())},
                            {"progress_notify", true}};
    return to_text(Json(JsonObject{{"create_request", create}}));
}

std::string grant_message(Duration ttl) {
    const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(ttl).count());
    return to_text(Json(JsonObject{{"TTL", number(seconds)}}));
}

std::string lease_message(LeaseId lease) {
    return to_text(Json(JsonObject{{"ID", number(lease.value())}}));
}

std::string login_message(const std::string& username, const std::string& password) {
    return to_text(Json(JsonObject{{"name", username}, {"password", password}}));
}

Result<Snapshot> parse_range(const JsonObject& message, const std::string& prefix) {
    Snapshot snapshot;
    snapshot.revision = revision_of(message);
    if (snapshot.revision == Revision()) return no_revision();
    const Json* kvs = message.if_contains("kvs");
    if (!kvs || !kvs->is_array()) return snapshot;
    for (const Json& entry : kvs->get_array()) {
        if (!entry.is_object())
            return fail(ErrorCode::invalid, "cannot understand etcd: a record that is no object");
        PGHERD_TRY(KeyValue record, parse_key_value(entry.get_object(), prefix));
        snapshot.records.emplace(std::move(record.key), std::move(record.record));
    }
    return snapshot;
}

Result<Revision> parse_txn(const JsonObject& message, const std::string& key) {
    if (revision_of(message) == Revision()) return no_revision();
    if (!flag_in(message, "succeeded"))
        return fail(ErrorCode::conflict,
                    fmt::format("cannot write \"{}\": it was changed by somebody else", key));
    return revision_of(message);
}

Result<LeaseId> parse_grant(const JsonObject& message) {
    const LeaseId lease(number_in(message, "ID"));
    if (lease == LeaseId())
        return fail(ErrorCode::failed,
                    "cannot get a lease from etcd: " + std::string(text_in(message, "error")));
    return lease;
}

Result<Duration> parse_keep_alive(const JsonObject& message) {
    const JsonObject* result = object_in(message, "result");
    // Only etcd itself may say that a lease has ended.
    if (!result) return fail(ErrorCode::unavailable, "cannot understand etcd: an answer without a result");
    const std::int64_t seconds = number_in(*result, "TTL");
    if (seconds <= 0) return fail(ErrorCode::not_found, "cannot keep the lease: it has ended");
    return Duration(std::chrono::seconds(seconds));
}

Result<bool> apply_watch_line(std::string_view line, const std::string& prefix, Snapshot& snapshot) {
    PGHERD_TRY(const JsonObject object, parse_json_object(line));
    if (const JsonObject* error = object_in(object, "error"))
        return std::unexpected(judge(failure_in(*error)).error);
    const JsonObject* result = object_in(object, "result");
    if (!result) return fail(ErrorCode::invalid, "cannot understand etcd: a watch answer without a result");
    if (flag_in(*result, "canceled"))
        return fail(ErrorCode::unavailable,
                    fmt::format("etcd ended the watch: {}", text_in(*result, "cancel_reason")));
    const Json* events = result->if_contains("events");
    if (!events || !events->is_array()) return false;
    for (const Json& event : events->get_array()) {
        if (!event.is_object())
            return fail(ErrorCode::invalid, "cannot understand etcd: an event that is no object");
        PGHERD_CHECK(apply_event(event.get_object(), prefix, snapshot));
    }
    return !events->get_array().empty();
}

std::optional<Failure> parse_failure(std::string_view body) {
    const auto object = parse_json_object(body);
    if (!object) return std::nullopt;
    if (const JsonObject* nested = object_in(*object, "error")) return failure_in(*nested);
    if (!object->contains("code") && !object->contains("error")) return std::nullopt;
    return failure_in(*object);
}

Verdict judge(const Failure& failure) {
    const auto says = [&](std::string_view text) { return failure.message.find(text) != std::string::npos; };
    const auto verdict = [&](ErrorCode code, Certainty certainty = Certainty::not_done) {
        return Verdict{{code, "etcd: " + failure.message, certainty}};
    };
    Verdict result;
    switch (failure.code) {
        case kUnauthenticated:
            result = verdict(ErrorCode::denied);
            result.log_in_again = true;
            return result;
        case kInvalidArgument:
            result = verdict(ErrorCode::invalid);
            result.log_in_again = says("user name is empty") || says("auth store is old");
            if (result.log_in_again || says("authentication failed")) result.error.code = ErrorCode::denied;
            return result;
        case kNotFound: return verdict(ErrorCode::not_found);
        case kPermissionDenied: return verdict(ErrorCode::denied);
        case kResourceExhausted: return verdict(ErrorCode::unavailable);
        case kFailedPrecondition: return verdict(ErrorCode::conflict);
        case kDeadlineExceeded: result = verdict(ErrorCode::timeout, Certainty::maybe_done); break;
        default:
            result =
                verdict(ErrorCode::unavailable,
                        certainly_not_done(failure.message) ? Certainty::not_done : Certainty::maybe_done);
    }
    result.try_elsewhere = true;
    return result;
}

}  // namespace pgherd::etcd
