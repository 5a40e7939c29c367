// How the command line shows things: tables, points in time, sizes, modes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/member.h"

namespace pgherd::pebble_cli {

// Columns of at least five characters, two blanks between them; the last one is as long as it is. Ends with a
// newline.
std::string table(const std::vector<std::vector<std::string>>& rows);

// "today at 15:04 UTC", "yesterday at …", "3 days ago, at …", "2025-01-02"; in the zone of this process.
std::string human_time(WallTime time, WallTime now);
// A time of the API as a column shows it: "-" when absent; `absolute`: RFC 3339.
std::string shown_time(std::string_view rfc3339, bool absolute, WallTime now);

// "4B", "1.5kB", "16.8MB"
std::string shown_size(std::int64_t bytes);
// "drwxr-x---" from a type of the API and "750".
std::string shown_mode(std::string_view type, std::string_view permissions);

// As people read it: objects and lists with four blanks of indentation.
std::string yaml(const Json& json);

}  // namespace pgherd::pebble_cli
