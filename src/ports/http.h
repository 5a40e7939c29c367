// HTTP requests and answers as values, so that the REST API can be tested without a socket.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ports/completion.h"

namespace pgherd {

// Who is at the other end of a unix socket, as the kernel says.
struct PeerProcess {
    int pid = 0;
    unsigned uid = 0;
    unsigned gid = 0;
};

struct HttpRequest {
    std::string method;                                      // "GET"
    std::string path;                                        // decoded, without the query: "/replica"
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
    std::map<std::string, std::string> headers;              // names in lower case
    std::string body;
    std::string peer_address;                 // "10.0.0.7"
    bool client_certificate = false;          // a verified one was shown
    std::optional<PeerProcess> peer_process;  // on a unix socket

    std::optional<std::string> parameter(std::string_view name) const {
        for (const auto& [key, value] : query)
            if (key == name) return value;
        return std::nullopt;
    }
};

struct HttpResponse {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
};

// Answers a request, now or later, exactly once.
using HttpHandler = std::function<void(HttpRequest, std::move_only_function<void(HttpResponse)>)>;

}  // namespace pgherd
