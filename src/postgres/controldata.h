// pg_control by way of pg_controldata: its text (LC_ALL=C) into a value.
#pragma once

#include <string_view>

#include "base/result.h"
#include "model/postgres_state.h"

namespace pgherd::postgres {

Result<ControlData> parse_controldata(std::string_view text);

}  // namespace pgherd::postgres
