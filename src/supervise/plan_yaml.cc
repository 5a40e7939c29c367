// The rendering half of layer_yaml.h.
#include <fmt/format.h>

#include "supervise/go_text.h"
#include "supervise/go_yaml.h"
#include "supervise/layer_yaml.h"

namespace pgherd::supervise {
namespace {

void write_owner(YamlWriter& out, const UserGroup& owner) {
    if (owner.user_id) out.field_raw("user-id", fmt::format("{}", *owner.user_id));
    out.field("user", owner.user);
    if (owner.group_id) out.field_raw("group-id", fmt::format("{}", *owner.group_id));
    out.field("group", owner.group);
}

void write_duration(YamlWriter& out, std::string_view key, const std::optional<Duration>& duration) {
    if (duration) out.field_raw(key, go_duration(*duration));
}

void write(YamlWriter& out, const Service& service) {
    out.field("summary", service.summary);
    out.field("description", service.description);
    out.field("startup", service.startup);
    out.field("override", service.override);
    out.field("command", service.command);
    out.list("after", service.after);
    out.list("before", service.before);
    out.list("requires", service.requirements);
    out.field("workload", service.workload);
    out.strings("environment", service.environment);
    write_owner(out, service.owner);
    out.field("working-dir", service.working_dir);
    out.field("on-success", service.on_success);
    out.field("on-failure", service.on_failure);
    out.strings("on-check-failure", service.on_check_failure);
    write_duration(out, "backoff-delay", service.backoff_delay);
    if (service.backoff_factor) out.field_raw("backoff-factor", fmt::format("{:g}", *service.backoff_factor));
    write_duration(out, "backoff-limit", service.backoff_limit);
    write_duration(out, "kill-delay", service.kill_delay);
}

void write_type(YamlWriter& out, const Check& check) {
    if (check.http) {
        out.mapping(
            "http",
            [&] {
                out.field("url", check.http->url);
                out.strings("headers", check.http->headers);
            },
            true);
    }
    if (check.tcp) {
        out.mapping(
            "tcp",
            [&] {
                if (check.tcp->port != 0) out.field_raw("port", fmt::format("{}", check.tcp->port));
                out.field("host", check.tcp->host);
            },
            true);
    }
    if (check.exec) {
        out.mapping(
            "exec",
            [&] {
                out.field("command", check.exec->command);
                out.field("service-context", check.exec->service_context);
                out.strings("environment", check.exec->environment);
                write_owner(out, check.exec->owner);
                out.field("working-dir", check.exec->working_dir);
            },
            true);
    }
}

void write(YamlWriter& out, const Check& check) {
    out.field("override", check.override);
    out.field("level", check.level);
    out.field("startup", check.startup);
    write_duration(out, "period", check.period);
    write_duration(out, "timeout", check.timeout);
    if (check.threshold != 0) out.field_raw("threshold", fmt::format("{}", check.threshold));
    write_type(out, check);
}

void write(YamlWriter& out, const LogTarget& target) {
    out.field("type", target.type);
    out.field("location", target.location);
    out.list("services", target.services);
    out.field("override", target.override);
    out.strings("labels", target.labels);
}

void write(YamlWriter& out, const Workload& workload) {
    out.field("override", workload.override);
    out.strings("environment", workload.environment);
    write_owner(out, workload.owner);
}

template <class Map>
void write_all(YamlWriter& out, std::string_view section, const Map& map) {
    out.mapping(section, [&] {
        for (const auto* entry : naturally_sorted(map))
            out.mapping(entry->first, [&] { write(out, entry->second); }, true);
    });
}

void write(YamlWriter& out, const Sections& sections) {
    write_all(out, "services", sections.services);
    write_all(out, "checks", sections.checks);
    write_all(out, "log-targets", sections.log_targets);
    write_all(out, "workloads", sections.workloads);
    out.mapping("pairing", [&] { out.field("mode", sections.pairing_mode); });
}

}  // namespace

std::string plan_yaml(const Plan& plan) {
    YamlWriter out;
    write(out, plan);
    return out.take();
}

std::string layer_yaml(const Layer& layer) {
    YamlWriter out;
    out.field("summary", layer.summary);
    out.field("description", layer.description);
    write(out, layer.sections);
    return out.take();
}

}  // namespace pgherd::supervise
