// The file actions whose content is too long for memory. Private to api_files.cc.
#pragma once

#include "http/server_exchange.h"
#include "supervisor/file_operations.h"
#include "supervisor/json_body.h"

namespace pgherd::supervisor {

class Daemon;

FileOwner read_owner(JsonBody& body);
// {"path":…} or {"path":…,"error":{"kind":…,"message":…}}
Json file_result(const std::string& path, const FileStatus& status);

// Answers by itself, since the content of the files is the answer.
boost::asio::awaitable<void> read_files(Daemon& daemon, ServerExchange& exchange);
boost::asio::awaitable<HttpResponse> write_files(Daemon& daemon, ServerExchange& exchange,
                                                 const std::string& content_type);

}  // namespace pgherd::supervisor
