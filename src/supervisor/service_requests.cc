#include "supervisor/service_requests.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "supervise/go_text.h"
#include "supervise/order.h"
#include "supervise/plan.h"
#include "supervisor/checks.h"
#include "supervisor/daemon.h"
#include "supervisor/services.h"

namespace pgherd::supervisor {

using namespace supervise;

namespace {

using Order = std::vector<OrderedService>;

// `Start service "srv2" and 1 more`: the first that was named, and how many there are in all.
std::string summary_of(std::string_view verb, const std::string& first, std::size_t count) {
    std::string text = fmt::format("{} service {}", verb, go_quote(first));
    if (count > 1) text += fmt::format(" and {} more", count - 1);
    return text;
}

// Appends the tasks of `order`; those that `after` names must be finished before any of them.
void add_tasks(NewChange& change, std::string_view kind, const Order& order,
               const std::vector<std::size_t>& after) {
    const std::size_t first = change.tasks.size();
    std::uint32_t first_lane = 0;
    for (const NewTask& task : change.tasks) first_lane = std::max(first_lane, task.lane + 1);
    for (const OrderedService& entry : order) {
        NewTask task{
            .kind = std::string(kind),
            .summary = fmt::format("{} service {}", kind == "start" ? "Start" : "Stop", go_quote(entry.name)),
            .subject = entry.name,
            .lane = first_lane + static_cast<std::uint32_t>(entry.lane),
            .waits_for = after};
        for (const std::size_t position : entry.waits_for) task.waits_for.push_back(first + position);
        change.tasks.push_back(std::move(task));
        if (std::ranges::find(change.subjects, entry.name) == change.subjects.end())
            change.subjects.push_back(entry.name);
    }
}

std::vector<std::size_t> all_of(const NewChange& change) {
    std::vector<std::size_t> positions(change.tasks.size());
    for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = i;
    return positions;
}

std::unexpected<Error> refuse(std::string_view action, const Error& why) {
    return fail(ErrorCode::invalid, fmt::format("cannot {} services: {}", action, why.message));
}

// Those of `order` that `wanted` names, with the waits among them.
Order only(const Order& order, const std::set<std::string>& wanted) {
    std::vector<std::size_t> position(order.size(), SIZE_MAX);
    Order result;
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (!wanted.contains(order[i].name)) continue;
        OrderedService entry{order[i].name, order[i].lane, {}};
        for (const std::size_t before : order[i].waits_for)
            if (position[before] != SIZE_MAX) entry.waits_for.push_back(position[before]);
        position[i] = result.size();
        result.push_back(std::move(entry));
    }
    return result;
}

}  // namespace

Result<ChangeId> request_start(Daemon& daemon, const std::vector<std::string>& names) {
    const auto order = start_order(daemon.plan(), names);
    if (!order) return refuse("start", order.error());
    NewChange change{.kind = "start", .summary = summary_of("Start", names.front(), order->size())};
    add_tasks(change, "start", *order, {});
    return daemon.add_change(std::move(change));
}

Result<ChangeId> request_stop(Daemon& daemon, const std::vector<std::string>& names) {
    auto order = stop_order(daemon.plan(), names);
    if (!order) return refuse("stop", order.error());
    NewChange change{.kind = "stop", .summary = summary_of("Stop", names.front(), order->size())};
    add_tasks(change, "stop", *order, {});
    return daemon.add_change(std::move(change));
}

Result<ChangeId> request_restart(Daemon& daemon, const std::vector<std::string>& names) {
    const auto stopping = stop_order_of_only(daemon.plan(), names);
    if (!stopping) return refuse("restart", stopping.error());
    const auto starting = start_order(daemon.plan(), names);
    if (!starting) return refuse("restart", starting.error());
    std::set<std::string> running;
    for (const OrderedService& entry : *stopping)
        if (daemon.services().running(entry.name)) running.insert(entry.name);
    NewChange change{.kind = "restart", .summary = summary_of("Restart", names.front(), starting->size())};
    add_tasks(change, "stop", only(*stopping, running), {});
    add_tasks(change, "start", *starting, all_of(change));
    return daemon.add_change(std::move(change));
}

Result<ChangeId> request_autostart(Daemon& daemon) {
    const std::vector<std::string> names = default_services(daemon.plan());
    if (names.empty()) return fail(ErrorCode::not_found, "no default services");
    const auto order = start_order(daemon.plan(), names);
    if (!order) return refuse("autostart", order.error());
    NewChange change{.kind = "autostart", .summary = summary_of("Autostart", names.front(), order->size())};
    add_tasks(change, "start", *order, {});
    return daemon.add_change(std::move(change));
}

// Restarts what runs with another configuration, together with what runs and requires it, and starts what is
// enabled. Unlike Pebble's, it brings every dependant back that it has stopped, and leaves alone what
// somebody stopped and nobody enabled.
Result<ChangeId> request_replan(Daemon& daemon) {
    const Plan& plan = daemon.plan();
    std::vector<std::string> changed;
    for (const auto& [name, service] : plan.services)
        if (daemon.services().running(name) && daemon.services().changed(name)) changed.push_back(name);
    const auto stopping = stop_order(plan, changed);
    if (!stopping) return refuse("replan", stopping.error());
    std::set<std::string> to_stop;
    for (const OrderedService& entry : *stopping)
        if (daemon.services().running(entry.name)) to_stop.insert(entry.name);
    std::vector<std::string> to_start(to_stop.begin(), to_stop.end());
    for (const std::string& name : default_services(plan))
        if (!to_stop.contains(name)) to_start.push_back(name);
    const auto starting = start_order(plan, to_start);
    if (!starting) return refuse("replan", starting.error());
    std::set<std::string> missing;
    for (const OrderedService& entry : *starting)
        if (to_stop.contains(entry.name) || !daemon.services().running(entry.name))
            missing.insert(entry.name);
    NewChange change{.kind = "replan", .summary = "Replan - no services"};
    add_tasks(change, "stop", only(*stopping, to_stop), {});
    add_tasks(change, "start", only(*starting, missing), all_of(change));
    if (!change.subjects.empty())
        change.summary = summary_of("Replan", change.subjects.front(), change.subjects.size());
    const ChangeId id = daemon.add_change(std::move(change));
    daemon.checks().start_enabled();
    return id;
}

std::optional<ChangeId> request_stop_all(Daemon& daemon) {
    std::set<std::string> running;
    for (std::string& name : daemon.services().all_running()) running.insert(std::move(name));
    if (running.empty()) return std::nullopt;
    const auto order = stop_order_of_only(daemon.plan(), {running.begin(), running.end()});
    NewChange change{.kind = "stop", .summary = "Stop all running services"};
    if (order) add_tasks(change, "stop", *order, {});
    return daemon.add_change(std::move(change));
}

}  // namespace pgherd::supervisor
