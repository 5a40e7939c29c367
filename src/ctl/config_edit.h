// Changes of the dynamic configuration, as text in and documents out.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/member.h"

namespace pgherd::ctl {

// "key.path=value": the value is YAML, null removes the key. Below postgresql.parameters the rest of the path
// is one name, since names of PostgreSQL's settings may hold dots.
Status apply_assignment(JsonObject& document, const std::string& assignment);

// The lines that differ, with "-" and "+" in front and two lines around each.
std::string difference_of_lines(const std::string& before, const std::string& after);

}  // namespace pgherd::ctl
