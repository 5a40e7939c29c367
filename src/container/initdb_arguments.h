// POSTGRES_INITDB_ARGS: a piece of a command line, as options of a configuration file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pgherd::container {

// "-k --locale 'C' -E UTF8" → "--data-checksums", "--locale=C", "--encoding=UTF8". Errors: an unclosed quote,
// what is no option, an option that says what pgherd says.
Result<std::vector<std::string>> initdb_arguments(std::string_view text);

}  // namespace pgherd::container
