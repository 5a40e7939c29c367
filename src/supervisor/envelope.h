// The form of every answer of the API: {"type":…,"status-code":…,"status":…,"result":…}.
#pragma once

#include <string>
#include <string_view>

#include "model/member.h"
#include "ports/http.h"
#include "supervise/change.h"

namespace pgherd::supervisor {

// JSON as Go writes it: <, > and & in texts escaped, bytes that are no UTF-8 replaced.
std::string go_json(const Json& value);
void append_go_string(std::string& target, std::string_view text);  // with quotes

HttpResponse sync_answer(const Json& result, int status = 200);
HttpResponse sync_answer_text(std::string_view result, int status = 200);  // `result` is JSON
HttpResponse async_answer(supervise::ChangeId change, const Json& result = nullptr);
// `kind`: "not-found", "login-required", …; empty = left out.
HttpResponse error_answer(int status, std::string_view message, std::string_view kind = {});

}  // namespace pgherd::supervisor
