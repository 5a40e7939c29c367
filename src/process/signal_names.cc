#include "process/signal_names.h"

#include <csignal>
#include <cstring>

namespace pgherd {

std::optional<int> signal_number(std::string_view name) {
    if (!name.starts_with("SIG")) return std::nullopt;
    name.remove_prefix(3);
    for (int number = 1; number < NSIG; ++number)
        if (const char* known = ::sigabbrev_np(number); known != nullptr && name == known) return number;
    return std::nullopt;
}

}  // namespace pgherd
