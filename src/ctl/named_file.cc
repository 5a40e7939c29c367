#include "ctl/named_file.h"

#include "base/files.h"

namespace pgherd::ctl {

Result<std::string> read_named_file(const std::string& path, ErrorCode code) {
    auto text = read_file(path);
    if (!text) text.error().code = code;
    return text;
}

}  // namespace pgherd::ctl
