// Patterns for names, as Go's path.Match has them: `*`, `?`, `[a-z]`, `[^a-z]`, and a backslash for what is
// meant as it is.
#pragma once

#include <string_view>

namespace pgherd::supervisor {

bool valid_pattern(std::string_view pattern);
bool matches_pattern(std::string_view pattern, std::string_view name);  // false for an invalid one

}  // namespace pgherd::supervisor
