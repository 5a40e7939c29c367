#include "supervisor/envelope.h"

#include <algorithm>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/utf8.h"

namespace pgherd::supervisor {
namespace {

std::string_view status_text(int status) {
    switch (status) {
        case 200: return "OK";
        case 202: return "Accepted";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 413: return "Request Entity Too Large";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        default: return "Internal Server Error";
    }
}

constexpr std::string_view kToEscape = "<>&";

}  // namespace

std::string go_json(const Json& value) {
    std::string text = to_utf8(boost::json::serialize(value));
    if (text.find_first_of(kToEscape) == std::string::npos) return text;
    // Outside of texts JSON has none of them.
    std::string escaped;
    escaped.reserve(text.size() + 64);
    for (const char c : text) {
        if (kToEscape.find(c) == std::string_view::npos)
            escaped += c;
        else
            escaped += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    }
    return escaped;
}

void append_go_string(std::string& target, std::string_view text) {
    const bool plain = std::ranges::none_of(text, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '"' ||
               c == '\\' || c == '<' || c == '>' || c == '&';
    });
    if (plain) {
        target += '"';
        target += text;
        target += '"';
    } else {
        target += go_json(Json(boost::json::string_view(text.data(), text.size())));
    }
}

HttpResponse sync_answer_text(std::string_view result, int status) {
    HttpResponse response;
    response.status = status;
    response.body.reserve(result.size() + 80);
    fmt::format_to(std::back_inserter(response.body),
                   R"({{"type":"sync","status-code":{},"status":"{}","result":)", status,
                   status_text(status));
    response.body += result;
    response.body += '}';
    return response;
}

HttpResponse sync_answer(const Json& result, int status) {
    return sync_answer_text(go_json(result), status);
}

HttpResponse async_answer(supervise::ChangeId change, const Json& result) {
    HttpResponse response;
    response.status = 202;
    response.body =
        fmt::format(R"({{"type":"async","status-code":202,"status":"Accepted","change":"{}","result":{}}})",
                    change, go_json(result));
    return response;
}

HttpResponse error_answer(int status, std::string_view message, std::string_view kind) {
    HttpResponse response;
    response.status = status;
    response.body = fmt::format(R"({{"type":"error","status-code":{},"status":"{}","result":{{"message":)",
                                status, status_text(status));
    append_go_string(response.body, message);
    if (!kind.empty()) {
        response.body += ",\"kind\":";
        append_go_string(response.body, kind);
    }
    response.body += "}}";
    return response;
}

}  // namespace pgherd::supervisor
