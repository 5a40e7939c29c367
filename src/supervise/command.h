// Command lines without a shell: splitting as a POSIX shell would, and Pebble's default arguments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgherd::supervise {

// Words, with '…', "…", \x and # comments; no expansion of any kind. Errors: an unclosed quote, an escape at
// the end.
Result<std::vector<std::string>> split_command(std::string_view text);
// Joins so that split_command gives the same words.
std::string join_command(const std::vector<std::string>& words);

// `base words [ default arguments ]`
struct ServiceCommand {
    std::vector<std::string> base;
    std::vector<std::string> default_arguments;

    std::vector<std::string> words() const;
    // With `arguments` instead of the default ones.
    std::string with_arguments(const std::vector<std::string>& arguments) const;
};
Result<ServiceCommand> parse_service_command(std::string_view service, std::string_view command);

}  // namespace pgherd::supervise
