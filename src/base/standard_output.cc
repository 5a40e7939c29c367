#include "base/standard_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

namespace pgherd {

void StandardOutput::print(std::string_view text) {
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        error_ = errno != 0 ? errno : EIO;
}

Status StandardOutput::status() const {
    if (error_ == 0 || error_ == EPIPE) return {};
    return fail(fmt::format("cannot write to standard output: {}", std::strerror(error_)));
}

}  // namespace pgherd
