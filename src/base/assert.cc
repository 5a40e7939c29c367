#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace pgherd {

void assertion_failed(std::string_view condition, std::string_view file, int line,
                      std::string_view what) noexcept {
    std::fprintf(stderr, "pgherd: bug: assertion `%.*s` failed at %.*s:%d%s%.*s\n", int(condition.size()),
                 condition.data(), int(file.size()), file.data(), line, what.empty() ? "" : ": ",
                 int(what.size()), what.data());
    std::abort();
}

}  // namespace pgherd
