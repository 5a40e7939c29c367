// host:port as text and back, with brackets around IPv6 addresses.
#include <fmt/format.h>

#include "base/text.h"
#include "model/agent_config.h"

namespace pgherd {
namespace {

Result<std::uint16_t> parse_port(std::string_view text) {
    auto port = parse_uint(text);
    if (!port || *port == 0 || *port > 65535)
        return fail(ErrorCode::invalid, fmt::format("\"{}\" is no port (expected 1 to 65535)", text));
    return std::uint16_t(*port);
}

}  // namespace

std::string to_string(const Endpoint& endpoint) {
    bool ipv6 = endpoint.host.find(':') != std::string::npos;
    return fmt::format(fmt::runtime(ipv6 ? "[{}]:{}" : "{}:{}"), endpoint.host, endpoint.port);
}

Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    text = trim(text);
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        auto close = text.find(']');
        auto rest = close == std::string_view::npos ? "x" : text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':')
            return fail(ErrorCode::invalid, fmt::format("\"{}\" is no [address]:port", text));
        host = text.substr(1, close - 1);
        has_port = !rest.empty();
        if (has_port) port = rest.substr(1);
    } else if (auto colon = text.find(':'); colon != std::string_view::npos && colon == text.rfind(':')) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    }
    if (host.empty()) return fail(ErrorCode::invalid, fmt::format("\"{}\" has no host", text));
    if (!has_port && default_port == 0)
        return fail(ErrorCode::invalid, fmt::format("\"{}\" has no port", text));
    Endpoint endpoint{std::string(host), default_port};
    if (has_port) {
        PGHERD_TRY(endpoint.port, parse_port(port));
    }
    return endpoint;
}

}  // namespace pgherd
