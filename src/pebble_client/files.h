// Files over the API: sent and received piece by piece, whatever their size.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "pebble_client/client.h"

namespace pgherd::pebble {

// What is wrong with the one path that a request was about: its `error` in the result, as an Error.
Status path_result(const Json& result);

// `file`: the entry of the request: path, permissions, make-dirs, owner. `content` gives the next piece,
// empty at the end.
Status push_file(Client& client, JsonObject file, HttpBodySource content);

// `content` gets the file; `begin` comes before its first piece, and not at all when there is no such file.
Status pull_file(Client& client, const std::string& path, std::function<Status()> begin,
                 std::function<Status(std::string_view)> content);

}  // namespace pgherd::pebble
