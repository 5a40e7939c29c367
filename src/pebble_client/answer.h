// What the supervisor's API answers, as Pebble wraps it: {"type", "status-code", "status", "result"}.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/client.h"
#include "model/member.h"

namespace pgherd::pebble {

struct Answer {
    int status = 0;
    Json result;
    std::string change;  // of an answer that only began something
};

// An error of the API is an Error with its message as it is, and a code: invalid (400), denied (401, 403),
// not_found (404), timeout (504); else failed. An answer of type "sync" is no error, whatever its status
// (health has 502).
Result<Answer> read_answer(const HttpClientResponse& response);

// "/v1/services?names=a&names=b"; empty values are left out.
using Query = std::vector<std::pair<std::string, std::string>>;
std::string target(std::string_view path, const Query& query);

// A text of an object's member, or "" when it is absent or no text.
std::string text_of(const JsonObject& object, std::string_view key);
std::int64_t number_of(const JsonObject& object, std::string_view key);
// The object at `key`, or an empty one.
const JsonObject& object_of(const JsonObject& object, std::string_view key);

}  // namespace pgherd::pebble
