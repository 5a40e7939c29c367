#include "supervisor/services.h"

#include <csignal>
#include <deque>

#include <fmt/format.h>

#include "base/descriptor.h"
#include "supervise/command.h"
#include "supervise/go_text.h"
#include "supervisor/daemon.h"
#include "supervisor/log_hub.h"

namespace pgherd::supervisor {

using namespace supervise;

namespace {

constexpr std::size_t kOutputLines = 20;

double random_fraction(void* context) {
    return static_cast<double>(static_cast<Random*>(context)->below(1'000'000)) / 1e6;
}

std::string indented(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        result += fmt::format("\n    {}", text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return result;
}

}  // namespace

Services::Services(Daemon& daemon) : daemon_(daemon) {
    daemon_.set_task_kind("start",
                          {[this](TaskId id) { start(id); }, [this](TaskId id) { abort_start(id); }});
    daemon_.set_task_kind("stop", {[this](TaskId id) { stop(id); }, {}});
}

Services::~Services() {
    for (const auto& [name, entry] : entries_)
        if (entry.pid != 0) daemon_.processes().forget(entry.pid);
}

const Services::Entry* Services::find(std::string_view name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
}

bool Services::running(std::string_view name) const {
    const Entry* entry = find(name);
    return entry && entry->machine.stoppable();
}

std::vector<std::string> Services::all_running() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_)
        if (entry.machine.stoppable()) names.push_back(name);
    return names;
}

bool Services::changed(const std::string& name) const {
    const Entry* entry = find(name);
    const auto planned = daemon_.plan().services.find(name);
    if (!entry || !entry->machine.started_with() || planned == daemon_.plan().services.end()) return false;
    return *entry->machine.started_with() != planned->second ||
           entry->environment != effective_environment(daemon_.plan(), planned->second) ||
           entry->owner != effective_owner(daemon_.plan(), planned->second);
}

Status Services::signal(const std::string& name, int number) {
    const Entry* entry = find(name);
    if (!entry || entry->pid == 0) return fail(ErrorCode::not_found, "service is not running");
    return daemon_.processes().signal(entry->pid, number);
}

void Services::start(TaskId id) {
    const std::string name = daemon_.changes().find_task(id)->subject;
    const auto planned = daemon_.plan().services.find(name);
    if (planned == daemon_.plan().services.end())
        return daemon_.task_failed(id, fmt::format("cannot find service {} in plan", go_quote(name)));
    auto [found, fresh] =
        entries_.try_emplace(name, ServiceMachine(name, random_fraction, &daemon_.loop().random()));
    Entry& entry = found->second;
    entry.start_tasks.push_back(id);
    if (entry.start_tasks.size() == 1) handle(name, service_event::Start{planned->second});
}

void Services::stop(TaskId id) {
    const std::string name = daemon_.changes().find_task(id)->subject;
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
        daemon_.task_info(id, fmt::format("Service {} has never been started.", go_quote(name)));
        return daemon_.task_done(id);
    }
    Entry& entry = found->second;
    entry.stop_tasks.push_back(id);
    if (entry.stop_tasks.size() == 1) return handle(name, service_event::Stop{});
    daemon_.task_info(id, fmt::format("Service {} already stopping.", go_quote(name)));
}

void Services::abort_start(TaskId id) {
    const std::string name = daemon_.changes().find_task(id)->subject;
    const auto found = entries_.find(name);
    if (found == entries_.end() || found->second.start_tasks == std::vector{id})
        return handle(name, service_event::AbortStart{});
    // Another change still wants it.
    std::erase(found->second.start_tasks, id);
    daemon_.task_failed(id, "start aborted");
}

void Services::check_failed(const std::string& check) {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    for (const std::string& name : names) handle(name, service_event::CheckFailed{check});
}

void Services::check_recovered(const std::string& check) {
    for (auto& [name, entry] : entries_)
        entry.machine.handle(service_event::CheckRecovered{check}, daemon_.clock().now());
}

void Services::handle(const std::string& name, const ServiceEvent& first) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    std::deque<ServiceEvent> events{first};
    while (!events.empty()) {
        const ServiceEvent event = std::move(events.front());
        events.pop_front();
        for (const ServiceEffect& effect : entry.machine.handle(event, daemon_.clock().now())) {
            if (std::get_if<service_effect::Spawn>(&effect))
                events.push_back(spawn(entry));
            else if (const auto* signal = std::get_if<service_effect::Signal>(&effect))
                static_cast<void>(daemon_.processes().signal_group(entry.pid, signal->number));
            else if (const auto* timer = std::get_if<service_effect::Arm>(&effect))
                arm(entry, *timer);
            else if (const auto* done = std::get_if<service_effect::Finished>(&effect))
                finished(entry, *done);
            else if (const auto* shutdown = std::get_if<service_effect::Shutdown>(&effect))
                daemon_.shut_down(shutdown->code, shutdown->why);
            else if (const auto* note = std::get_if<service_effect::Note>(&effect))
                daemon_.log().write(
                    {note->error ? LogLevel::warning : LogLevel::info, "service", note->text, {}});
        }
    }
    if (entry.machine.current() != entry.current) {
        entry.current = entry.machine.current();
        entry.since = daemon_.clock().wall();
        daemon_.services_answer.clear();
        if (on_change) on_change(name, entry.current);
    }
    daemon_.settle();
}

void Services::arm(Entry& entry, const service_effect::Arm& effect) {
    entry.timer.reset();
    if (!effect.when) return;
    entry.timer = daemon_.clock().call_at(
        *effect.when, [this, name = entry.machine.name()] { handle(name, service_event::TimePassed{}); });
}

void Services::finished(Entry& entry, const service_effect::Finished& effect) {
    const auto tasks = std::exchange(effect.start ? entry.start_tasks : entry.stop_tasks, {});
    const std::string output =
        effect.with_output ? daemon_.logs().last_lines(entry.machine.name(), kOutputLines) : std::string();
    for (const TaskId task : tasks) {
        if (!effect.info.empty()) daemon_.task_info(task, effect.info);
        if (!output.empty()) daemon_.task_info(task, "Most recent service output:" + indented(output));
        if (effect.error.empty())
            daemon_.task_done(task);
        else
            daemon_.task_failed(task, effect.error);
    }
}

ServiceEvent Services::spawn(Entry& entry) {
    const Service service = *entry.machine.started_with();
    entry.owner = effective_owner(daemon_.plan(), service);
    entry.environment = effective_environment(daemon_.plan(), service);
    const Result<int> pid = spawn_process(entry, service);
    if (!pid) {
        daemon_.log().warning("service", fmt::format("Service {} cannot be started: {}",
                                                     go_quote(entry.machine.name()), pid.error().message));
        return service_event::SpawnFailed{pid.error().message};
    }
    entry.pid = *pid;
    daemon_.log().info(
        "service", fmt::format("Service {} starting: {}", go_quote(entry.machine.name()), service.command));
    return service_event::Spawned{};
}

Result<int> Services::spawn_process(Entry& entry, const Service& service) {
    const std::string name = entry.machine.name();
    PGHERD_TRY(const ServiceCommand command, parse_service_command(name, service.command));
    SpawnOptions options;
    options.command = command.words();
    options.environment = daemon_.environment_of(service);
    options.working_dir = service.working_dir;
    if (daemon_.options().end_services_with_us) options.parent_death_signal = SIGTERM;
    const UserGroup& owner = entry.owner;
    PGHERD_TRY(options.user, resolve_user(owner.user_id, owner.user, owner.group_id, owner.group));
    if (options.user) {
        const auto user = find_user(options.user->uid);
        // Of the layer, not of ours: HOME=/root would be wrong for another user.
        if (user && !entry.environment.contains("HOME")) options.environment["HOME"] = user->home;
        if (user && !entry.environment.contains("USER")) options.environment["USER"] = user->name;
    }
    PGHERD_TRY(const int writer, daemon_.logs().open_writer(name, service.effective_kill_delay() / 10 * 9));
    const Descriptor output(writer);
    options.standard_output = options.standard_error = output.get();
    // The loop tells of an exit only after this function has returned, so the id is known by then.
    const auto pid = std::make_shared<int>(0);
    Result<int> spawned =
        daemon_.processes().spawn(options, [this, name, pid](int code) { exited(name, *pid, code); });
    if (spawned) *pid = *spawned;
    return spawned;
}

void Services::exited(const std::string& name, int pid, int code) {
    const auto found = entries_.find(name);
    if (found == entries_.end() || found->second.pid != pid) return;
    found->second.pid = 0;
    daemon_.logs().process_ended(name);
    handle(name, service_event::Exited{code});
}

}  // namespace pgherd::supervisor
