// Signals by name.
#pragma once

#include <optional>
#include <string_view>

namespace pgherd {

std::optional<int> signal_number(std::string_view name);  // "SIGTERM"; nothing for what is no such name

}  // namespace pgherd
