#include "pebble_client/answer.h"

#include <fmt/format.h>

#include "codec/json.h"
#include "http/url.h"

namespace pgherd::pebble {
namespace {

ErrorCode code_of(int status) {
    switch (status) {
        case 400: return ErrorCode::invalid;
        case 401:
        case 403: return ErrorCode::denied;
        case 404: return ErrorCode::not_found;
        case 504: return ErrorCode::timeout;
        default: return ErrorCode::failed;
    }
}

}  // namespace

Result<Answer> read_answer(const HttpClientResponse& response) {
    auto json = parse_json_object(response.body);
    if (!json)
        return fail(fmt::format("cannot understand the answer with status {}: {}", response.status,
                                json.error().message));
    if (text_of(*json, "type") == "error") {
        std::string message = text_of(object_of(*json, "result"), "message");
        if (message.empty()) message = fmt::format("the server answered with status {}", response.status);
        return fail(code_of(response.status), std::move(message));
    }
    Answer answer{response.status, {}, text_of(*json, "change")};
    if (Json* result = json->if_contains("result")) answer.result = std::move(*result);
    return answer;
}

std::string target(std::string_view path, const Query& query) {
    std::string text(path);
    char separator = '?';
    for (const auto& [key, value] : query) {
        if (value.empty()) continue;
        text += std::exchange(separator, '&');
        text += key + "=" + percent_encode(value);
    }
    return text;
}

std::string text_of(const JsonObject& object, std::string_view key) {
    const Json* value = object.if_contains(key);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t number_of(const JsonObject& object, std::string_view key) {
    const Json* value = object.if_contains(key);
    if (!value) return 0;
    if (value->is_int64()) return value->get_int64();
    return value->is_uint64() ? static_cast<std::int64_t>(value->get_uint64()) : 0;
}

const JsonObject& object_of(const JsonObject& object, std::string_view key) {
    static const JsonObject none;
    const Json* value = object.if_contains(key);
    return value && value->is_object() ? value->get_object() : none;
}

}  // namespace pgherd::pebble
