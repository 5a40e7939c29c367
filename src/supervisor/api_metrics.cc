// GET /v1/metrics: Prometheus' text format, one family after the other, each with one head.
#include "base/exposition.h"
#include "supervisor/api.h"
#include "supervisor/checks.h"
#include "supervisor/daemon.h"
#include "supervisor/log_hub.h"
#include "supervisor/services.h"

namespace pgherd::supervisor {
namespace {

void write_services(Exposition& out, Daemon& daemon) {
    out.family("pebble_service_active", "gauge", "Whether the service is currently active (1) or not (0)");
    for (const auto& [name, service] : daemon.plan().services) {
        const Services::Entry* entry = daemon.services().find(name);
        out.sample(entry && entry->current == "active" ? 1 : 0, {{"service", name}});
    }
    out.family("pebble_service_start_count", "counter", "Number of times the service has started");
    for (const auto& [name, entry] : daemon.services().all())
        if (entry.machine.starts() > 0) out.sample(entry.machine.starts(), {{"service", name}});
}

void write_checks(Exposition& out, Daemon& daemon) {
    using supervise::CheckStatus;
    const auto& checks = daemon.checks().all();
    out.family("pebble_check_up", "gauge", "Whether the health check is up (1) or not (0)");
    for (const auto& [name, entry] : checks)
        if (entry.machine.active())
            out.sample(entry.machine.status() == CheckStatus::up ? 1 : 0, {{"check", name}});
    out.family("pebble_check_success_count", "counter", "Number of times the check has succeeded");
    for (const auto& [name, entry] : checks) out.sample(entry.machine.total_successes(), {{"check", name}});
    out.family("pebble_check_failure_count", "counter", "Number of times the check has failed");
    for (const auto& [name, entry] : checks) out.sample(entry.machine.total_failures(), {{"check", name}});
}

void write_logs(Exposition& out, Daemon& daemon) {
    const LineCounts lost = daemon.logs().lost_lines();
    out.family("pgherd_log_lines_lost_total", "counter",
               "Number of lines that the service's log file or standard output could not take");
    for (const std::string& name : daemon.logs().services()) {
        const auto found = lost.find(name);
        out.sample(found == lost.end() ? 0 : found->second, {{"service", name}});
    }
}

HttpResponse metrics(Daemon& daemon, ApiRequest&) {
    Exposition out;
    write_services(out, daemon);
    write_checks(out, daemon);
    write_logs(out, daemon);
    HttpResponse response;
    response.body = out.take();
    response.content_type = "text/plain; charset=utf-8";
    return response;
}

}  // namespace

std::vector<Route> metrics_routes() {
    return {{"GET", "/v1/metrics", Need::metrics, metrics}};
}

}  // namespace pgherd::supervisor
