#include "supervisor/api.h"

#include "supervisor/api_exec.h"
#include "supervisor/api_files.h"
#include "supervisor/api_logs.h"
#include "supervisor/envelope.h"

namespace pgherd::supervisor {

HttpResponse bad_body(const Error& error, bool data) {
    return error_answer(
        400,
        (data ? "cannot decode data from request body: " : "cannot decode request body: ") + error.message);
}

std::vector<Route> all_routes() {
    std::vector<Route> all;
    for (const auto& routes :
         {system_routes(), service_routes(), change_routes(), notice_routes(), check_routes(), plan_routes(),
          files_routes(), exec_routes(), log_routes(), identity_routes(), metrics_routes()})
        all.insert(all.end(), routes.begin(), routes.end());
    return all;
}

}  // namespace pgherd::supervisor
