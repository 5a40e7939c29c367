#include "supervisor/json_body.h"

#include <limits>

#include <fmt/format.h>

#include "codec/json.h"

namespace pgherd::supervisor {

namespace {

std::string_view kind_name(const Json& value) {
    switch (value.kind()) {
        case boost::json::kind::string: return "string";
        case boost::json::kind::bool_: return "bool";
        case boost::json::kind::array: return "array";
        case boost::json::kind::object: return "object";
        case boost::json::kind::null: return "null";
        default: return "number";
    }
}

}  // namespace

Result<JsonBody> JsonBody::parse(std::string_view text) {
    Result<JsonObject> object = parse_json_object(text);
    if (!object) return fail(ErrorCode::invalid, object.error().message);
    return JsonBody(std::move(*object));
}

const Json* JsonBody::find(std::string_view key) const {
    const Json* value = object_.if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

// As Go's encoding/json words it.
void JsonBody::wrong(std::string_view key, const Json& value, std::string_view wanted) {
    if (mistake_.empty())
        mistake_ = fmt::format("json: cannot unmarshal {} into Go struct field .{} of type {}",
                               kind_name(value), key, wanted);
}

std::string JsonBody::text(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (value->is_string()) return std::string(value->get_string());
    wrong(key, *value, "string");
    return {};
}

bool JsonBody::flag(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr) return false;
    if (value->is_bool()) return value->get_bool();
    wrong(key, *value, "bool");
    return false;
}

std::optional<int> JsonBody::number(std::string_view key) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (const std::int64_t* whole = value->if_int64(); whole != nullptr &&
                                                       *whole >= std::numeric_limits<int>::min() &&
                                                       *whole <= std::numeric_limits<int>::max())
        return static_cast<int>(*whole);
    wrong(key, *value, "int");
    return std::nullopt;
}

std::vector<std::string> JsonBody::texts(std::string_view key) {
    std::vector<std::string> result;
    const Json* value = find(key);
    if (value == nullptr) return result;
    if (!value->is_array()) {
        wrong(key, *value, "[]string");
        return result;
    }
    for (const Json& item : value->get_array()) {
        if (!item.is_string()) {
            wrong(key, item, "string");
            return {};
        }
        result.emplace_back(item.get_string());
    }
    return result;
}

JsonBody::StringMap JsonBody::text_map(std::string_view key) {
    StringMap result;
    const Json* value = find(key);
    if (value == nullptr) return result;
    if (!value->is_object()) {
        wrong(key, *value, "map[string]string");
        return result;
    }
    for (const auto& item : value->get_object()) {
        if (!item.value().is_string()) {
            wrong(key, item.value(), "string");
            return {};
        }
        result.emplace(item.key(), item.value().get_string());
    }
    return result;
}

std::vector<JsonBody> JsonBody::objects(std::string_view key) {
    std::vector<JsonBody> result;
    const Json* value = find(key);
    if (value == nullptr) return result;
    if (!value->is_array()) {
        wrong(key, *value, "[]struct");
        return result;
    }
    for (const Json& item : value->get_array()) {
        if (!item.is_object()) {
            wrong(key, item, "struct");
            return {};
        }
        result.push_back(JsonBody(item.get_object()));
    }
    return result;
}

Status JsonBody::status() const {
    if (mistake_.empty()) return {};
    return fail(ErrorCode::invalid, mistake_);
}

}  // namespace pgherd::supervisor
