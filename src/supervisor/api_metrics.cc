// GET /v1/metrics: Prometheus' text format, one family after the other, each with one head.
#include <fmt/format.h>

#include "supervisor/api.h"
#include "supervisor/checks.h"
#include "supervisor/daemon.h"
#include "supervisor/services.h"

namespace pgherd::supervisor {
namespace {

std::string escaped(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == '\\' || c == '"') text += '\\';
        if (c == '\n')
            text += "\\n";
        else
            text += c;
    }
    return text;
}

class Text {
  public:
    void family(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    }
    void sample(std::string_view label, std::string_view value, std::uint64_t number) {
        fmt::format_to(std::back_inserter(text_), "{}{{{}=\"{}\"}} {}\n", name_, label, escaped(value),
                       number);
    }
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
    std::string_view name_;
};

void write_services(Text& text, Daemon& daemon) {
    text.family("pebble_service_active", "gauge", "Whether the service is currently active (1) or not (0)");
    for (const auto& [name, service] : daemon.plan().services) {
        const Services::Entry* entry = daemon.services().find(name);
        text.sample("service", name, entry && entry->current == "active" ? 1 : 0);
    }
    text.family("pebble_service_start_count", "counter", "Number of times the service has started");
    for (const auto& [name, entry] : daemon.services().all())
        if (entry.machine.starts() > 0) text.sample("service", name, entry.machine.starts());
}

void write_checks(Text& text, Daemon& daemon) {
    using supervise::CheckStatus;
    const auto& checks = daemon.checks().all();
    text.family("pebble_check_up", "gauge", "Whether the health check is up (1) or not (0)");
    for (const auto& [name, entry] : checks)
        if (entry.machine.active())
            text.sample("check", name, entry.machine.status() == CheckStatus::up ? 1 : 0);
    text.family("pebble_check_success_count", "counter", "Number of times the check has succeeded");
    for (const auto& [name, entry] : checks) text.sample("check", name, entry.machine.total_successes());
    text.family("pebble_check_failure_count", "counter", "Number of times the check has failed");
    for (const auto& [name, entry] : checks) text.sample("check", name, entry.machine.total_failures());
}

HttpResponse metrics(Daemon& daemon, ApiRequest&) {
    Text text;
    write_services(text, daemon);
    write_checks(text, daemon);
    HttpResponse response;
    response.body = text.take();
    response.content_type = "text/plain; charset=utf-8";
    return response;
}

}  // namespace

std::vector<Route> metrics_routes() {
    return {{"GET", "/v1/metrics", Need::metrics, metrics}};
}

}  // namespace pgherd::supervisor
