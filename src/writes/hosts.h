// The hosts of a libpq connection string, one by one.
//
// libpq tries several hosts in turn, and bounds each by connect_timeout in whole seconds: a host that
// swallows SYNs would hide for a second that its neighbour has been the primary all along. So the string is
// split, and connect.h tries all hosts side by side with a bound of its own.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pgherd::writes {

// One way to connect: parameters for PQconnectStartParams.
struct HostSettings {
    std::string label;  // "10.0.0.1:5432", for people
    std::vector<std::pair<std::string, std::string>> parameters;
};

// Splits `dsn` (keywords or a URI). What it leaves open is set so that a broken connection shows quickly:
// target_session_attrs=read-write, connect_timeout=1, tcp_user_timeout=1000 ms, keepalives of 1 s.
Result<std::vector<HostSettings>> split_hosts(const std::string& dsn);

}  // namespace pgherd::writes
