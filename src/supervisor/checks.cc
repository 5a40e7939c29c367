#include "supervisor/checks.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "http/client.h"
#include "supervise/go_text.h"
#include "supervisor/daemon.h"
#include "supervisor/services.h"

namespace pgherd::supervisor {

using namespace supervise;

Checks::Checks(Daemon& daemon) : daemon_(daemon) {
    const TaskKind kind{{}, [this](TaskId task) { aborted(task); }};
    daemon_.set_task_kind("perform-check", kind);
    daemon_.set_task_kind("recover-check", kind);
}

Checks::~Checks() = default;

namespace {

// An exec check also depends on the service whose context it runs in.
std::string context_of(const Plan& plan, const Check& check) {
    if (!check.exec || check.exec->service_context.empty()) return {};
    const auto found = plan.services.find(check.exec->service_context);
    if (found == plan.services.end()) return {};
    const UserGroup owner = effective_owner(plan, found->second);
    std::string text = fmt::format("{}|{}|{}|{}|{}", owner.user_id.value_or(-1), owner.user,
                                   owner.group_id.value_or(-1), owner.group, found->second.working_dir);
    for (const auto& [name, value] : effective_environment(plan, found->second))
        text += fmt::format("|{}={}", name, value);
    return text;
}

bool in_level(const Check& check, std::string_view level) {
    if (level.empty()) return true;
    // What is not alive is not ready either.
    return check.level == "alive" || (level == "ready" && check.level == "ready");
}

}  // namespace

void Checks::plan_changed() {
    const Plan& plan = daemon_.plan();
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const auto planned = plan.checks.find(entry->first);
        const bool same = planned != plan.checks.end() && planned->second == entry->second.machine.config() &&
                          context_of(plan, planned->second) == entry->second.resolved;
        if (same) {
            ++entry;
            continue;
        }
        end(entry->second, "the check was changed");
        entry = entries_.erase(entry);
    }
    for (const auto& [name, check] : plan.checks) {
        const auto [found, fresh] = entries_.try_emplace(name, CheckMachine(name, check));
        if (!fresh) continue;
        found->second.resolved = context_of(plan, check);
        if (check.enabled() && !daemon_.stopping()) begin(found->second);
    }
}

void Checks::begin(Entry& entry) {
    entry.machine.start();
    entry.change.reset();
    entry.previous_change.reset();
    add_change(entry);
    tick_later(entry);
}

void Checks::add_change(Entry& entry) {
    const std::string& name = entry.machine.name();
    const std::string kind = entry.machine.recovering() ? "recover-check" : "perform-check";
    NewChange change{.kind = kind, .summary = entry.machine.summary()};
    change.tasks.push_back({.kind = kind, .summary = change.summary, .subject = name});
    change.notice_data["check-name"] = name;
    entry.previous_change = entry.change;
    entry.change = daemon_.add_change(std::move(change));
    entry.task = daemon_.changes().find(*entry.change)->tasks.front();
}

void Checks::end(Entry& entry, std::string_view why) {
    entry.ticker.reset();
    entry.probe.reset();
    entry.machine.stop();
    for (const auto& done : std::exchange(entry.waiting, {})) done(std::string(why));
    const auto change = std::exchange(entry.change, std::nullopt);
    entry.previous_change.reset();
    if (!change) return;
    // The change ends with what the check was told last.
    daemon_.task_info(entry.task, why);
    daemon_.task_done(entry.task);
}

void Checks::tick_later(Entry& entry) {
    const Duration period = entry.machine.config().effective_period();
    entry.ticker =
        daemon_.clock().call_at(daemon_.clock().now() + period, [this, name = entry.machine.name()] {
            const auto found = entries_.find(name);
            if (found == entries_.end()) return;
            tick_later(found->second);
            run(name);
        });
}

void Checks::run(const std::string& name) {
    Entry& entry = entries_.find(name)->second;
    if (entry.probe) return;  // the last run is not over
    if (!http_) {
        HttpClientOptions options;
        options.max_response = 64 * 1024;
        options.max_kept = 0;
        http_ = std::make_unique<HttpClient>(daemon_.loop(), std::move(options));
    }
    entry.probe =
        start_probe(daemon_, *http_, entry.machine.config(),
                    [this, name](const std::optional<std::string>& error) { finished(name, error); });
}

void Checks::finished(const std::string& name, const std::optional<std::string>& error) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    const std::unique_ptr<Probe> over = std::move(entry.probe);
    bool act = false, recovered = false;
    for (const CheckEffect& effect : entry.machine.result(error)) {
        using namespace check_effect;
        if (const auto* failure = std::get_if<LogError>(&effect)) {
            daemon_.changes().log(entry.task, LogKind::error, failure->text, daemon_.clock().wall());
        } else if (const auto* info = std::get_if<LogInfo>(&effect)) {
            daemon_.task_info(entry.task, info->text);
        } else if (const auto* down = std::get_if<WentDown>(&effect)) {
            daemon_.log().warning("check", fmt::format("Check {} is down: {}", go_quote(name), down->error));
            daemon_.task_failed(entry.task, down->error);
            add_change(entry);
        } else if (std::get_if<Recovered>(&effect)) {
            daemon_.log().info("check", fmt::format("Check {} is up again", go_quote(name)));
            daemon_.task_done(entry.task);
            add_change(entry);
            recovered = true;
        } else if (std::get_if<ActionsDue>(&effect)) {
            act = true;
        }
    }
    for (const auto& done : std::exchange(entry.waiting, {})) done(error);
    if (recovered) daemon_.services().check_recovered(name);
    if (act) daemon_.services().check_failed(name);
    daemon_.settle();
}

// A client aborted the change: the check no longer runs, and says so.
void Checks::aborted(TaskId task) {
    for (auto& [name, entry] : entries_) {
        if (!entry.change || entry.task != task) continue;
        entry.ticker.reset();
        entry.probe.reset();
        entry.machine.stop();
        entry.change.reset();
        for (const auto& done : std::exchange(entry.waiting, {})) done("check aborted");
    }
    daemon_.task_failed(task, "check aborted");
}

Status Checks::find(const std::vector<std::string>& names) const {
    std::vector<std::string> unknown;
    for (const std::string& name : names)
        if (!entries_.contains(name)) unknown.push_back(name);
    if (unknown.empty()) return {};
    return fail(ErrorCode::invalid, fmt::format("cannot find checks in plan: {}", join(unknown, ", ")));
}

Result<std::vector<std::string>> Checks::start(const std::vector<std::string>& names) {
    if (auto known = find(names); !known) return std::unexpected(known.error());
    std::vector<std::string> started;
    for (const std::string& name : names) {
        Entry& entry = entries_.find(name)->second;
        if (entry.machine.active()) continue;
        begin(entry);
        started.push_back(name);
    }
    std::ranges::sort(started);
    return started;
}

Result<std::vector<std::string>> Checks::stop(const std::vector<std::string>& names) {
    if (auto known = find(names); !known) return std::unexpected(known.error());
    std::vector<std::string> stopped;
    for (const std::string& name : names) {
        Entry& entry = entries_.find(name)->second;
        if (!entry.machine.active()) continue;
        end(entry, "the check was stopped");
        stopped.push_back(name);
    }
    std::ranges::sort(stopped);
    return stopped;
}

void Checks::start_enabled() {
    for (auto& [name, entry] : entries_)
        if (entry.machine.config().enabled() && !entry.machine.active()) begin(entry);
}

void Checks::stop_all() {
    for (auto& [name, entry] : entries_)
        if (entry.machine.active()) end(entry, "the supervisor is stopping");
}

bool Checks::refresh(const std::string& name, std::function<void(const std::optional<std::string>&)> done) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return false;
    Entry& entry = found->second;
    entry.waiting.push_back(std::move(done));
    if (entry.machine.active()) tick_later(entry);
    run(name);
    return true;
}

bool Checks::healthy(std::string_view level, const std::vector<std::string>& names) const {
    return std::ranges::none_of(entries_, [&](const auto& named) {
        const CheckMachine& machine = named.second.machine;
        if (machine.status() != CheckStatus::down || !in_level(machine.config(), level)) return false;
        return names.empty() || std::ranges::find(names, named.first) != names.end();
    });
}

}  // namespace pgherd::supervisor
