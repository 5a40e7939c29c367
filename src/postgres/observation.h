// What the server says of itself in one SELECT, as a document, and how it is understood.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/postgres_state.h"

namespace pgherd::postgres {

// Facts that only the adapter needs.
struct ServerFacts {
    std::string primary_slot_name;
    std::string restore_command;
    std::map<std::string, std::string>
        pending;  // settings that wait for a restart, with their present values
    std::map<std::string, std::string> settings;  // present values of what is set on the command line
};

// One statement, one row, one column.
std::string_view observation_query();
// Fills what the document tells. A standby's timeline is left out unless it streams.
Result<ServerFacts> read_observation(std::string_view document, PostgresState& state);

}  // namespace pgherd::postgres
