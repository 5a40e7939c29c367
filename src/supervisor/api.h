// The endpoints of the API that answer with values; those of files, exec and logs have headers of their own.
#pragma once

#include <vector>

#include "supervisor/route.h"

namespace pgherd::supervisor {

std::vector<Route> system_routes();    // system-info, health
std::vector<Route> service_routes();   // services, signals
std::vector<Route> plan_routes();      // plan, layers
std::vector<Route> change_routes();    // changes, and waiting for them
std::vector<Route> check_routes();     // checks
std::vector<Route> notice_routes();    // notices, and waiting for them
std::vector<Route> identity_routes();  // identities
std::vector<Route> metrics_routes();   // metrics

std::vector<Route> all_routes();

// A body that is not what it should be: `cannot decode data from request body: …`, or without "data from".
HttpResponse bad_body(const Error& error, bool data = false);

}  // namespace pgherd::supervisor
