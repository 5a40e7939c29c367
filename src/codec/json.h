// JSON text in and out.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/member.h"

namespace pgherd {

// Errors say line and column. Nesting is bounded; size is the caller's business.
Result<Json> parse_json(std::string_view text);
Result<JsonObject> parse_json_object(std::string_view text);
std::string to_text(const Json& json);    // compact, separators "," and ":", as Patroni writes it
std::string to_pretty(const Json& json);  // two blanks of indentation, one key a line
// RFC 7396 as Patroni applies it to its configuration: objects merge, null deletes, anything else replaces.
// Gives whether anything changed.
bool merge_patch(JsonObject& document, const JsonObject& patch);

}  // namespace pgherd
