#include "ctl/read_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>

namespace pgherd::ctl {

Result<std::string> read_file(const std::string& path, ErrorCode code) {
    const auto failed = [&] {
        return fail(code, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    };
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
    if (!file) return failed();
    std::string text;
    char piece[8192];
    while (const std::size_t got = std::fread(piece, 1, sizeof piece, file.get())) text.append(piece, got);
    if (std::ferror(file.get())) return failed();
    return text;
}

}  // namespace pgherd::ctl
