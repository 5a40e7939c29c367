// URLs, as far as a REST API needs them: percent-encoding, queries, and where to connect to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgherd {

struct Url {
    bool tls = false;  // https
    std::string host;  // without brackets
    std::uint16_t port = 80;
    std::string target;  // path and query, as sent: "/patroni?x=1"; at least "/"

    std::string authority() const;  // "host:port", brackets around IPv6
};

Result<Url> parse_url(std::string_view text);  // http:// and https:// only; no user info

// Decodes %XX, and "+" as a blank in a query. A broken escape or a NUL byte is an error.
Result<std::string> percent_decode(std::string_view text, bool plus_is_blank);
std::string percent_encode(std::string_view text);  // everything but letters, digits and "-._~"
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view text);

}  // namespace pgherd
