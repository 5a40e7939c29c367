#include "container/named_files.h"

#include <fmt/format.h>

#include "base/files.h"

namespace pgherd::container {

Result<Environment> read_named_files(Environment environment) {
    for (const std::string name : {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_INITDB_ARGS"}) {
        const std::string variable = name + "_FILE", path = environment[variable];
        if (path.empty()) continue;
        if (!environment[name].empty())
            return fail(ErrorCode::invalid,
                        fmt::format("{} and {} are both set; keep one of them", name, variable));
        PGHERD_TRY(std::string text, read_file(path, variable));
        while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
        environment[name] = std::move(text);
    }
    return environment;
}

}  // namespace pgherd::container
