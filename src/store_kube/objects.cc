#include "store_kube/objects.h"

#include <fmt/format.h>

#include "base/text.h"
#include "codec/json.h"

namespace pgherd::kube {

namespace {

std::int64_t version_in(const JsonObject& metadata) {
    const auto number = parse_int(text_in(metadata, "resourceVersion"));
    return number ? *number : 0;
}

std::map<std::string, std::string> texts_in(const JsonObject& object, std::string_view key) {
    std::map<std::string, std::string> texts;
    if (const JsonObject* map = object_in(object, key))
        for (const auto& [name, value] : *map)
            if (value.is_string()) texts.emplace(name, std::string_view(value.get_string()));
    return texts;
}

std::int64_t code_in(const JsonObject& status) {
    const Json* code = status.if_contains("code");
    return code && code->is_int64() ? code->get_int64() : 0;
}

Error not_understood(std::string_view what) {
    return {ErrorCode::unavailable, fmt::format("cannot understand the Kubernetes API: {}", what)};
}

}  // namespace

const JsonObject* object_in(const JsonObject& object, std::string_view key) {
    const Json* value = object.if_contains(boost::json::string_view(key.data(), key.size()));
    return value ? value->if_object() : nullptr;
}

std::string text_in(const JsonObject& object, std::string_view key) {
    const Json* value = object.if_contains(boost::json::string_view(key.data(), key.size()));
    return value && value->is_string() ? std::string(std::string_view(value->get_string())) : std::string();
}

Result<Object> parse_object(const JsonObject& json) {
    const JsonObject* metadata = object_in(json, "metadata");
    if (!metadata) return std::unexpected(not_understood("an object without metadata"));
    Object object;
    object.name = text_in(*metadata, "name");
    object.uid = text_in(*metadata, "uid");
    object.version = version_in(*metadata);
    object.labels = texts_in(*metadata, "labels");
    object.annotations = texts_in(*metadata, "annotations");
    if (const JsonObject* status = object_in(json, "status")) object.pod_ip = text_in(*status, "podIP");
    if (const JsonObject* spec = object_in(json, "spec")) {
        object.node_name = text_in(*spec, "nodeName");
        object.hostname = text_in(*spec, "hostname");
    }
    if (const Json* subsets = json.if_contains("subsets")) object.subsets = *subsets;
    if (object.version == 0) return std::unexpected(not_understood("an object without a version"));
    return object;
}

Result<ObjectList> parse_list(const JsonObject& json) {
    const JsonObject* metadata = object_in(json, "metadata");
    ObjectList list;
    list.version = metadata ? version_in(*metadata) : 0;
    if (list.version == 0) return std::unexpected(not_understood("a list without a version"));
    const Json* items = json.if_contains("items");
    if (!items || !items->is_array()) return list;  // null when it is empty
    for (const Json& item : items->get_array()) {
        if (!item.is_object()) return std::unexpected(not_understood("a list of what are no objects"));
        PGHERD_TRY(Object object, parse_object(item.get_object()));
        list.objects.push_back(std::move(object));
    }
    return list;
}

Result<Event> parse_event(std::string_view line) {
    PGHERD_TRY(const JsonObject json, parse_json_object(line));
    const std::string type = text_in(json, "type");
    const JsonObject* body = object_in(json, "object");
    if (!body) return std::unexpected(not_understood("an event without an object"));
    if (type == "ERROR") {
        if (code_in(*body) == 410) return Event{Event::Type::gone, {}};
        return fail(ErrorCode::unavailable,
                    fmt::format("Kubernetes ended the watch: {}", text_in(*body, "message")));
    }
    Event event;
    if (type == "BOOKMARK") {
        const JsonObject* metadata = object_in(*body, "metadata");
        event.type = Event::Type::bookmark;
        event.object.version = metadata ? version_in(*metadata) : 0;
        return event;
    }
    if (type == "DELETED")
        event.type = Event::Type::deleted;
    else if (type != "ADDED" && type != "MODIFIED")
        return std::unexpected(not_understood(fmt::format("an event of type \"{}\"", type)));
    PGHERD_TRY(event.object, parse_object(*body));
    return event;
}

std::string failure_message(std::string_view body) {
    const auto json = parse_json_object(body);
    if (!json || text_in(*json, "kind") != "Status") return {};
    return text_in(*json, "message");
}

}  // namespace pgherd::kube
