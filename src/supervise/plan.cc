#include "supervise/plan.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "supervise/command.h"
#include "supervise/go_text.h"
#include "supervise/order.h"

namespace pgherd::supervise {
namespace {

std::unexpected<Error> invalid(std::string text) {
    return fail(ErrorCode::invalid, std::move(text));
}

// --- merging
// -------------------------------------------------------------------------------------------------

void merge(std::string& target, const std::string& over) {
    if (!over.empty()) target = over;
}
template <class T>
void merge(std::optional<T>& target, const std::optional<T>& over) {
    if (over) target = over;
}
void merge(StringMap& target, const StringMap& over) {
    for (const auto& [key, value] : over) target.insert_or_assign(key, value);
}
void merge(UserGroup& target, const UserGroup& over) {
    merge(target.user_id, over.user_id);
    merge(target.user, over.user);
    merge(target.group_id, over.group_id);
    merge(target.group, over.group);
}
// A name that is there already is not added again, so that adding the same layer twice changes nothing.
void append_new(std::vector<std::string>& target, const std::vector<std::string>& more) {
    for (const std::string& name : more)
        if (std::ranges::find(target, name) == target.end()) target.push_back(name);
}
// Here the last one that matches decides, so a repeated name moves to the end.
void append_last(std::vector<std::string>& target, const std::vector<std::string>& more) {
    for (const std::string& name : more) {
        std::erase(target, name);
        target.push_back(name);
    }
}

void merge(Service& target, const Service& over) {
    merge(target.summary, over.summary);
    merge(target.description, over.description);
    merge(target.startup, over.startup);
    merge(target.command, over.command);
    append_new(target.after, over.after);
    append_new(target.before, over.before);
    append_new(target.requirements, over.requirements);
    merge(target.workload, over.workload);
    merge(target.environment, over.environment);
    merge(target.owner, over.owner);
    merge(target.working_dir, over.working_dir);
    merge(target.on_success, over.on_success);
    merge(target.on_failure, over.on_failure);
    merge(target.on_check_failure, over.on_check_failure);
    merge(target.backoff_delay, over.backoff_delay);
    merge(target.backoff_factor, over.backoff_factor);
    merge(target.backoff_limit, over.backoff_limit);
    merge(target.kill_delay, over.kill_delay);
}

void merge(HttpCheck& target, const HttpCheck& over) {
    merge(target.url, over.url);
    merge(target.headers, over.headers);
}
void merge(TcpCheck& target, const TcpCheck& over) {
    if (over.port != 0) target.port = over.port;
    merge(target.host, over.host);
}
void merge(ExecCheck& target, const ExecCheck& over) {
    merge(target.command, over.command);
    merge(target.service_context, over.service_context);
    merge(target.environment, over.environment);
    merge(target.owner, over.owner);
    merge(target.working_dir, over.working_dir);
}
template <class T>
void merge_type(std::optional<T>& target, const std::optional<T>& over) {
    if (!over) return;
    if (target)
        merge(*target, *over);
    else
        target = over;
}
void merge(Check& target, const Check& over) {
    merge(target.level, over.level);
    merge(target.startup, over.startup);
    merge(target.period, over.period);
    merge(target.timeout, over.timeout);
    if (over.threshold != 0) target.threshold = over.threshold;
    merge_type(target.http, over.http);
    merge_type(target.tcp, over.tcp);
    merge_type(target.exec, over.exec);
}

void merge(LogTarget& target, const LogTarget& over) {
    merge(target.type, over.type);
    merge(target.location, over.location);
    append_last(target.services, over.services);
    merge(target.labels, over.labels);
}
void merge(Workload& target, const Workload& over) {
    merge(target.environment, over.environment);
    merge(target.owner, over.owner);
}

template <class Map>
Status put_over(Map& target, const Map& over, const Layer& layer, std::string_view what) {
    for (const auto& [name, object] : over) {
        if (object.override.empty())
            return invalid(fmt::format("layer {} must define \"override\" for {} {}", go_quote(layer.label),
                                       what, go_quote(name)));
        const auto found = target.find(name);
        if (object.override == "replace" || (object.override == "merge" && found == target.end()))
            target.insert_or_assign(name, object);
        else if (object.override == "merge")
            merge(found->second, object);
        else
            return invalid(fmt::format("layer {} has invalid \"override\" value for {} {}",
                                       go_quote(layer.label), what, go_quote(name)));
    }
    return {};
}

// --- one layer
// -----------------------------------------------------------------------------------------------

Status check_service_name(const std::string& name) {
    if (name.empty()) return invalid("cannot use empty string as service name");
    if (name == "pebble") return invalid("cannot use reserved service name \"pebble\"");
    if (name.starts_with('-'))
        return invalid(
            fmt::format("cannot use service name {}: starting with \"-\" not allowed", go_quote(name)));
    return {};
}

Status one_of(const std::string& value, std::initializer_list<std::string_view> choices, const auto& text) {
    if (value.empty() || std::ranges::find(choices, value) != choices.end()) return {};
    return invalid(text());
}

Status check_service(const std::string& name, const Service& service) {
    const auto subject = [&] { return fmt::format("plan service {}", go_quote(name)); };
    PGHERD_CHECK(one_of(service.startup, {"enabled", "disabled"}, [&] {
        return fmt::format("{} startup must be \"enabled\" or \"disabled\"", subject());
    }));
    if (!service.command.empty())
        if (const auto command = parse_service_command(name, service.command); !command)
            return invalid(fmt::format("{} command invalid: {}", subject(), command.error().message));
    PGHERD_CHECK(one_of(service.on_success, {"restart", "shutdown", "failure-shutdown", "ignore"}, [&] {
        return fmt::format("{} on-success action {} invalid", subject(), go_quote(service.on_success));
    }));
    PGHERD_CHECK(one_of(service.on_failure, {"restart", "shutdown", "success-shutdown", "ignore"}, [&] {
        return fmt::format("{} on-failure action {} invalid", subject(), go_quote(service.on_failure));
    }));
    for (const auto& [check, action] : service.on_check_failure) {
        PGHERD_CHECK(one_of(action, {"restart", "shutdown", "success-shutdown", "ignore"}, [&] {
            return fmt::format("{} on-check-failure action {} invalid", subject(), go_quote(action));
        }));
    }
    if (service.backoff_factor && !(*service.backoff_factor >= 1.0))
        return invalid(fmt::format("{} backoff-factor must be 1.0 or greater, not {:g}", subject(),
                                   *service.backoff_factor));
    return {};
}

Status check_check(const std::string& name, const Check& check) {
    const auto subject = [&] { return fmt::format("plan check {}", go_quote(name)); };
    if (name.empty()) return invalid("cannot use empty string as check name");
    PGHERD_CHECK(one_of(check.level, {"alive", "ready"},
                        [&] { return subject() + " level must be \"alive\" or \"ready\""; }));
    PGHERD_CHECK(one_of(check.startup, {"enabled", "disabled"},
                        [&] { return subject() + " startup must be \"enabled\" or \"disabled\""; }));
    if (check.period && *check.period <= Duration{}) return invalid(subject() + " period must not be zero");
    if (check.timeout && *check.timeout <= Duration{})
        return invalid(subject() + " timeout must not be zero");
    if (check.threshold < 0) return invalid(subject() + " threshold must not be negative");
    if (check.exec && !check.exec->command.empty())
        if (const auto words = split_command(check.exec->command); !words)
            return invalid(fmt::format("{} command invalid: {}", subject(), words.error().message));
    return {};
}

constexpr std::string_view kTargetTypes = R"("loki", "opentelemetry" or "syslog")";

Status check_log_target(const std::string& name, const LogTarget& target) {
    if (name.empty()) return invalid("cannot use empty string as log target name");
    for (const auto& [label, value] : target.labels)
        if (label.starts_with("pebble_"))
            return invalid(fmt::format("log target {}: label {} uses reserved prefix \"pebble_\"",
                                       go_quote(name), go_quote(label)));
    return one_of(target.type, {"loki", "opentelemetry", "syslog"}, [&] {
        return fmt::format("log target {} has unsupported type {}, must be {}", go_quote(name),
                           go_quote(target.type), kTargetTypes);
    });
}

// --- the whole
// -----------------------------------------------------------------------------------------------

Status check_planned_service(const Plan& plan, const std::string& name, const Service& service) {
    if (service.command.empty())
        return invalid(fmt::format("plan must define \"command\" for service {}", go_quote(name)));
    if (service.workload.empty()) return {};
    if (!plan.workloads.contains(service.workload))
        return invalid(fmt::format("workload {}: not defined for service {}", go_quote(service.workload),
                                   go_quote(name)));
    if (!service.owner.empty())
        return invalid(fmt::format("plan service {} cannot have a user or group: it runs in workload {}",
                                   go_quote(name), go_quote(service.workload)));
    return {};
}

Status check_planned_check(const Plan& plan, const std::string& name, const Check& check) {
    const auto must_set = [&](std::string_view field, std::string_view type) {
        return invalid(fmt::format("plan must set \"{}\" for {} check {}", field, type, go_quote(name)));
    };
    const int types = (check.http ? 1 : 0) + (check.tcp ? 1 : 0) + (check.exec ? 1 : 0);
    if (types != 1)
        return invalid(fmt::format("plan must specify one of \"http\", \"tcp\", or \"exec\" for check {}",
                                   go_quote(name)));
    if (check.http && check.http->url.empty()) return must_set("url", "http");
    if (check.tcp && check.tcp->port == 0) return must_set("port", "tcp");
    if (!check.exec) return {};
    if (check.exec->command.empty()) return must_set("command", "exec");
    const std::string& context = check.exec->service_context;
    if (!context.empty() && !plan.services.contains(context))
        return invalid(fmt::format("plan check {} service context specifies non-existent service {}",
                                   go_quote(name), go_quote(context)));
    return {};
}

Status check_planned_target(const Plan& plan, const std::string& name, const LogTarget& target) {
    if (target.type.empty())
        return invalid(
            fmt::format("plan must define \"type\" ({}) for log target {}", kTargetTypes, go_quote(name)));
    if (target.location.empty())
        return invalid(fmt::format("plan must define \"location\" for log target {}", go_quote(name)));
    for (const std::string& entry : target.services) {
        const std::string service = entry.starts_with('-') ? entry.substr(1) : entry;
        if (service != "all" && !plan.services.contains(service))
            return invalid(
                fmt::format("log target {} specifies unknown service {}", go_quote(name), go_quote(service)));
    }
    return {};
}

}  // namespace

Result<Layer> combine(const std::vector<const Layer*>& layers) {
    Layer result;
    if (layers.empty()) return result;
    result.summary = layers.back()->summary;
    result.description = layers.back()->description;
    Sections& sections = result.sections;
    for (const Layer* layer : layers) {
        const Sections& over = layer->sections;
        PGHERD_CHECK(put_over(sections.services, over.services, *layer, "service"));
        PGHERD_CHECK(put_over(sections.checks, over.checks, *layer, "check"));
        PGHERD_CHECK(put_over(sections.log_targets, over.log_targets, *layer, "log target"));
        PGHERD_CHECK(put_over(sections.workloads, over.workloads, *layer, "workload"));
        merge(sections.pairing_mode, over.pairing_mode);
    }
    return result;
}

Status validate_layer(const Layer& layer) {
    for (const auto& [name, service] : layer.sections.services) {
        PGHERD_CHECK(check_service_name(name));
        PGHERD_CHECK(check_service(name, service));
    }
    for (const auto& [name, check] : layer.sections.checks) PGHERD_CHECK(check_check(name, check));
    for (const auto& [name, target] : layer.sections.log_targets)
        PGHERD_CHECK(check_log_target(name, target));
    return one_of(layer.sections.pairing_mode, {"disabled", "single", "multiple"}, [&] {
        return fmt::format("pairing mode {} invalid: must be \"disabled\", \"single\" or \"multiple\"",
                           go_quote(layer.sections.pairing_mode));
    });
}

Status validate_plan(const Plan& plan) {
    for (const auto& [name, service] : plan.services)
        PGHERD_CHECK(check_planned_service(plan, name, service));
    for (const auto& [name, check] : plan.checks) PGHERD_CHECK(check_planned_check(plan, name, check));
    for (const auto& [name, target] : plan.log_targets)
        PGHERD_CHECK(check_planned_target(plan, name, target));
    return check_loops(plan);
}

std::vector<std::string> default_services(const Plan& plan) {
    std::vector<std::string> names;
    for (const auto& [name, service] : plan.services)
        if (service.enabled()) names.push_back(name);
    return names;
}

}  // namespace pgherd::supervise
