#include "http/url.h"

#include <fmt/format.h>

#include "base/text.h"

namespace pgherd {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

bool printable(std::string_view text) {
    for (const char c : text)
        if (c <= ' ' || c == '\x7f') return false;
    return true;
}

}  // namespace

std::string Url::authority() const {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

Result<Url> parse_url(std::string_view text) {
    const auto wrong = [&](std::string_view why) {
        return fail(ErrorCode::invalid, fmt::format("cannot use URL \"{}\": {}", text, why));
    };
    Url url;
    std::string_view rest = text;
    const std::size_t scheme_end = rest.find("://");
    if (scheme_end == std::string_view::npos) return wrong("it must begin with http:// or https://");
    const std::string scheme = to_lower(rest.substr(0, scheme_end));
    if (scheme != "http" && scheme != "https") return wrong("it must begin with http:// or https://");
    url.tls = scheme == "https";
    url.port = url.tls ? 443 : 80;
    rest.remove_prefix(scheme_end + 3);
    if (!printable(rest)) return wrong("it contains blanks or control characters");

    const std::size_t path = std::min(rest.find_first_of("/?#"), rest.size());
    std::string_view authority = rest.substr(0, path);
    url.target =
        rest.substr(path, rest.find('#') == std::string_view::npos ? rest.npos : rest.find('#') - path);
    if (!url.target.starts_with('/')) url.target.insert(0, "/");
    if (authority.find('@') != std::string_view::npos)
        return wrong("user and password do not belong into it");

    std::string_view port;
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos) return wrong("a bracket is not closed");
        url.host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
    } else {
        const std::size_t colon = std::min(authority.find(':'), authority.size());
        url.host = authority.substr(0, colon);
        port = authority.substr(colon);
    }
    if (url.host.empty()) return wrong("it names no host");
    if (port.empty()) return url;
    const auto number = parse_uint(port.substr(1));
    if (port.front() != ':' || !number || *number == 0 || *number > 65535)
        return wrong("the port must be 1 to 65535");
    url.port = static_cast<std::uint16_t>(*number);
    return url;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result.push_back(text[i] == '+' && plus_is_blank ? ' ' : text[i]);
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return fail(ErrorCode::invalid, "a % must be followed by two hexadecimal digits");
        if (high == 0 && low == 0) return fail(ErrorCode::invalid, "a NUL byte is not allowed");
        result.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return result;
}

std::string percent_encode(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (unreserved(c))
            result.push_back(c);
        else
            result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return result;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> result;
    for (const std::string& part : split(text, '&')) {
        if (part.empty()) continue;
        const std::string_view view = part;
        const std::size_t equals = std::min(view.find('='), view.size());
        PGHERD_TRY(std::string key, percent_decode(view.substr(0, equals), true));
        PGHERD_TRY(std::string value,
                   percent_decode(equals < view.size() ? view.substr(equals + 1) : "", true));
        result.emplace_back(std::move(key), std::move(value));
    }
    return result;
}

}  // namespace pgherd
