#include "supervisor/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "codec/agent_config.h"
#include "supervise/go_text.h"
#include "supervise/layer_yaml.h"
#include "supervise/order.h"
#include "supervise/plan.h"
#include "supervise/wire.h"
#include "supervisor/checks.h"
#include "supervisor/envelope.h"
#include "supervisor/exec_sessions.h"
#include "supervisor/file_work.h"
#include "supervisor/forward.h"
#include "supervisor/layer_directory.h"
#include "supervisor/log_hub.h"
#include "supervisor/log_sink.h"
#include "supervisor/service_requests.h"
#include "supervisor/services.h"

namespace pgherd::supervisor {

using namespace supervise;

namespace {

constexpr auto kPruneEvery = std::chrono::minutes(10);
constexpr auto kRewriteEvery = std::chrono::seconds(3);
constexpr auto kStopReserve = std::chrono::milliseconds(5100);  // beyond the longest kill-delay

// As PID 1 our life is that of the container; otherwise the machine's boot is what clients must notice.
std::string find_boot_id() {
    const char* path = ::getpid() == 1 ? "/proc/sys/kernel/random/uuid" : "/proc/sys/kernel/random/boot_id";
    char text[64];
    const int descriptor = ::open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = descriptor < 0 ? 0 : ::read(descriptor, text, sizeof text);
    if (descriptor >= 0) ::close(descriptor);
    std::string id(text, got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!id.empty() && id.back() == '\n') id.pop_back();
    return id;
}

}  // namespace

Daemon::Daemon(EventLoop& loop, Options options, Log& log)
    : loop_(loop),
      options_(std::move(options)),
      log_(log),
      boot_id_(find_boot_id()),
      changes_(notices_),
      processes_(std::make_unique<Processes>(loop, Processes::Orphans::adopt)),
      logs_(std::make_unique<LogHub>(loop)),
      forwarding_(std::make_unique<LogForwarding>(loop, *logs_, log)),
      services_(std::make_unique<Services>(*this)),
      checks_(std::make_unique<Checks>(*this)),
      files_(std::make_unique<FileWork>(loop)),
      execs_(std::make_unique<ExecSessions>(*this)) {
    if (options_.verbose) logs_->add_output(std::make_shared<StandardOutputLog>(loop));
    for (auto& [name, value] : current_environment()) own_environment_.emplace(name, value);
}

Daemon::~Daemon() = default;

Status Daemon::prepare() {
    PGHERD_TRY(std::vector<Layer> layers, read_layer_directory(options_.directory + "/layers"));
    PGHERD_CHECK(stack_.load(std::move(layers)));
    if (options_.persist) {
        state_.emplace(options_.directory + "/.pgherd.state");
        PGHERD_CHECK(restore());
    }
    if (!options_.arguments.empty()) PGHERD_CHECK(stack_.set_service_arguments(options_.arguments));
    if (!options_.identities.empty()) PGHERD_CHECK(read_identities());
    changes_.give_up_unfinished(clock().wall());
    changes_.prune(clock().wall());
    notices_.prune(clock().wall());
    if (state_) PGHERD_CHECK(state_->rewrite([this](const auto& write) { write_everything(write); }));
    return {};
}

void Daemon::start() {
    plan_changed();
    if (!options_.hold && !default_services(plan()).empty())
        if (const auto change = request_autostart(*this); !change)
            log_.error("autostart", change.error().message);
    prune_later();
    settle();
}

void Daemon::prune_later() {
    prune_timer_ = clock().call_at(clock().now() + kPruneEvery, [this] {
        changes_.prune(clock().wall());
        notices_.prune(clock().wall());
        settle();
        prune_later();
    });
}

// --- layers and identities
// -------------------------------------------------------------------------------------

Status Daemon::add_layer(Layer layer, bool combine, bool inner) {
    const std::string label = layer.label;
    PGHERD_CHECK(combine ? stack_.combine_with(std::move(layer), inner)
                         : stack_.append(std::move(layer), inner));
    for (const Layer& each : stack_.layers()) {
        if (each.label != label) continue;
        client_layers_.insert_or_assign(label, each);
        if (state_)
            state_->append(
                {{"layer", JsonObject{{"order", each.order}, {"label", label}, {"yaml", layer_yaml(each)}}}});
    }
    plan_changed();
    return {};
}

void Daemon::plan_changed() {
    plan_answer_.clear();
    plan_answer_.shrink_to_fit();
    services_answer.clear();
    forwarding_->plan_changed(plan(), [this](const std::string& service) {
        const auto found = plan().services.find(service);
        return found == plan().services.end() ? own_environment_ : environment_of(found->second);
    });
    checks_->plan_changed();
}

const std::string& Daemon::plan_answer() {
    if (plan_answer_.empty()) plan_answer_ = sync_answer(Json(plan_yaml(plan()))).body;
    return plan_answer_;
}

ProcessEnvironment Daemon::environment_of(const Service& service) const {
    ProcessEnvironment environment = own_environment_;
    for (const auto& [name, value] : effective_environment(plan(), service))
        environment.insert_or_assign(name, value);
    return environment;
}

Status Daemon::read_identities() {
    const auto complain = [&](std::string_view why) {
        return fail(ErrorCode::invalid,
                    fmt::format("cannot read identities from {}: {}", options_.identities, why));
    };
    PGHERD_TRY(const std::string text, read_text_file(options_.identities));
    const auto document = parse_yaml(text, options_.identities);
    if (!document) return complain(document.error().message);
    const JsonObject* root = document->if_object();
    const Json* inner = root ? root->if_contains("identities") : nullptr;
    if (!inner || !inner->is_object()) return complain("it must have the key \"identities\" with a mapping");
    const auto input = parse_identities(inner->get_object());
    if (!input) return complain(input.error().message);
    if (const Status done = identities_.replace(*input); !done) return complain(done.error().message);
    return {};
}

Status Daemon::keep_identities() {
    if (!state_) return {};
    state_->append({{"identities", identities_.with_secrets()}});
    return state_->flush(true);
}

// --- changes
// ---------------------------------------------------------------------------------------------------

ChangeId Daemon::add_change(NewChange change) {
    return changes_.add(std::move(change), clock().wall());
}
void Daemon::task_info(TaskId id, std::string_view text) {
    changes_.log(id, LogKind::info, text, clock().wall());
}
void Daemon::task_done(TaskId id) {
    changes_.finish(id, clock().wall());
}
void Daemon::task_failed(TaskId id, std::string_view error) {
    changes_.fail(id, error, clock().wall());
}

void Daemon::settle() {
    settle_again_ = true;
    if (settling_) return;
    settling_ = true;
    while (settle_again_) {
        settle_again_ = false;
        begin_tasks();
        tell_waiters();
    }
    save();
    settling_ = false;
}

void Daemon::begin_tasks() {
    for (const TaskId id : changes_.take_to_abort()) {
        const Task* task = changes_.find_task(id);
        const auto kind = task ? kinds_.find(task->kind) : kinds_.end();
        if (kind != kinds_.end() && kind->second.abort) kind->second.abort(id);
        settle_again_ = true;
    }
    for (const TaskId id : changes_.take_startable(clock().wall())) {
        const Task* task = changes_.find_task(id);
        if (!task || task->status != WorkStatus::doing) continue;
        const auto kind = kinds_.find(task->kind);
        if (kind != kinds_.end() && kind->second.run) kind->second.run(id);
        settle_again_ = true;
    }
}

void Daemon::tell_waiters() {
    for (const ChangeId id : changes_.take_ready()) {
        std::vector<Ticket> tickets;
        for (const auto& [ticket, waiter] : waiters_)
            if (waiter.change == id) tickets.push_back(ticket);
        for (const Ticket ticket : tickets) finish_waiter(ticket, true);
        if (stop_change_ == id) finish_shut_down();
    }
    // The state file wants them too, later.
    if (!notices_.has_changed()) return;
    std::vector<Ticket> tickets;
    for (const auto& [ticket, waiter] : waiters_)
        if (!waiter.change && notices_.any(waiter.filter, clock().wall())) tickets.push_back(ticket);
    for (const Ticket ticket : tickets) finish_waiter(ticket, true);
}

Daemon::Ticket Daemon::wait_for_change(ChangeId id, std::optional<Duration> limit,
                                       std::function<void(bool)> done) {
    const Ticket ticket = ++last_ticket_;
    Waiter& waiter = waiters_[ticket];
    waiter.change = id;
    waiter.done = std::move(done);
    if (limit)
        waiter.timer =
            clock().call_at(clock().now() + *limit, [this, ticket] { finish_waiter(ticket, false); });
    return ticket;
}

Daemon::Ticket Daemon::wait_for_notices(NoticeFilter filter, Duration limit, std::function<void(bool)> done) {
    const Ticket ticket = ++last_ticket_;
    Waiter& waiter = waiters_[ticket];
    waiter.filter = std::move(filter);
    waiter.done = std::move(done);
    waiter.timer = clock().call_at(clock().now() + limit, [this, ticket] { finish_waiter(ticket, false); });
    return ticket;
}

void Daemon::finish_waiter(Ticket ticket, bool well) {
    const auto found = waiters_.find(ticket);
    if (found == waiters_.end()) return;
    const std::function<void(bool)> done = std::move(found->second.done);
    waiters_.erase(found);
    done(well);
}

void Daemon::forget(Ticket ticket) {
    waiters_.erase(ticket);
}

// --- the state file
// --------------------------------------------------------------------------------------------

void Daemon::save() {
    const auto changed = changes_.take_changed();
    const auto tasks = changes_.take_changed_tasks();
    const auto removed = changes_.take_removed();
    const auto notices = notices_.take_changed();
    const auto removed_notices = notices_.take_removed();
    if (!state_) return;
    for (const TaskId id : tasks)
        if (const Task* task = changes_.find_task(id)) state_->append({{"task", task_record(*task)}});
    for (const ChangeId id : changed)
        if (const Change* change = changes_.find(id)) state_->append({{"change", change_record(*change)}});
    for (const ChangeId id : removed) state_->append({{"forget-change", id}});
    for (const NoticeId id : notices)
        if (const Notice* notice = notices_.find(id)) state_->append({{"notice", notice_record(*notice)}});
    for (const NoticeId id : removed_notices) state_->append({{"forget-notice", id}});
    Status done = state_->flush();
    if (state_->has_grown() && clock().now() >= next_rewrite_) {
        next_rewrite_ = clock().now() + kRewriteEvery;
        done = state_->rewrite([this](const auto& write) { write_everything(write); });
    }
    if (!done) log_.error("state-file", done.error().message);
}

void Daemon::write_everything(const std::function<void(const JsonObject&)>& write) const {
    write({{"boot-id", boot_id_}});
    write({{"ids", JsonObject{{"change", changes_.last_change_id()},
                              {"task", changes_.last_task_id()},
                              {"notice", notices_.last_id()}}}});
    write({{"identities", identities_.with_secrets()}});
    for (const auto& [label, layer] : client_layers_)
        write({{"layer", JsonObject{{"order", layer.order}, {"label", label}, {"yaml", layer_yaml(layer)}}}});
    for (const auto& [id, change] : changes_.changes()) {
        for (const TaskId task_id : change.tasks)
            if (const Task* task = changes_.find_task(task_id)) write({{"task", task_record(*task)}});
        write({{"change", change_record(change)}});
    }
    for (const auto& [id, notice] : notices_.all()) write({{"notice", notice_record(notice)}});
}

Status Daemon::restore() {
    PGHERD_TRY(const StateFile::Loaded loaded, state_->load());
    if (!loaded.warning.empty()) log_.warning("state-file", loaded.warning);
    std::map<TaskId, Task> tasks;
    std::map<ChangeId, Change> changes;
    std::map<NoticeId, Notice> notices;
    std::vector<JsonObject> layers;
    std::size_t damaged = 0;
    for (const JsonObject& record : loaded.records) {
        if (record.empty()) continue;
        const std::string_view kind(record.begin()->key().data(), record.begin()->key().size());
        const Json& value = record.begin()->value();
        const JsonObject empty;
        const JsonObject& object = value.is_object() ? value.get_object() : empty;
        const auto keep = [&](auto read, auto& target) {
            if (read)
                target.insert_or_assign(read->id, std::move(*read));
            else
                ++damaged;
        };
        if (kind == "task")
            keep(read_task(object), tasks);
        else if (kind == "change")
            keep(read_change(object), changes);
        else if (kind == "notice")
            keep(read_notice(object), notices);
        else if (kind == "forget-change" && value.is_int64())
            changes.erase(static_cast<ChangeId>(value.get_int64()));
        else if (kind == "forget-notice" && value.is_int64())
            notices.erase(static_cast<NoticeId>(value.get_int64()));
        else if (kind == "identities") {
            if (!identities_.restore(object)) ++damaged;
        } else if (kind == "layer")
            layers.push_back(object);
        else if (kind == "boot-id" && value.is_string() && std::string_view(value.get_string()) != boot_id_)
            layers.clear(), layers.push_back({{"other-boot", true}});
        else if (kind == "stopped")
            layers.clear(), layers.push_back({{"other-boot", true}});
        else if (kind == "ids") {
            const auto id = [&](const char* key) {
                const Json* number = object.if_contains(key);
                return number && number->is_int64() ? static_cast<std::uint64_t>(number->get_int64()) : 0;
            };
            changes_.restore_last_ids(id("change"), id("task"));
            notices_.restore_last_id(id("notice"));
        }
    }
    for (auto& [id, task] : tasks) changes_.restore(std::move(task));
    for (auto& [id, change] : changes) changes_.restore(std::move(change));
    for (auto& [id, notice] : notices) notices_.restore(std::move(notice));
    if (damaged > 0) log_.warning("state-file", fmt::format("{} damaged records are left out", damaged));
    restore_layers(layers);
    return {};
}

// Clients' layers come back after a crash, not in a new container or after an orderly stop: then clients
// expect an empty plan, as from Pebble.
void Daemon::restore_layers(const std::vector<JsonObject>& records) {
    std::map<std::string, Layer> kept;
    for (const JsonObject& record : records) {
        if (record.contains("other-boot")) return;
        const Json* label = record.if_contains("label");
        const Json* yaml = record.if_contains("yaml");
        const Json* order = record.if_contains("order");
        if (!label || !label->is_string() || !yaml || !yaml->is_string() || !order || !order->is_int64())
            continue;
        const std::string name(label->get_string());
        auto layer = parse_layer(static_cast<int>(order->get_int64()), name, std::string(yaml->get_string()));
        if (layer) kept.insert_or_assign(name, std::move(*layer));
    }
    if (kept.empty()) return;
    std::vector<Layer> layers;
    for (const Layer& file : stack_.layers())
        if (!kept.contains(file.label)) layers.push_back(file);
    for (const auto& [label, layer] : kept) layers.push_back(layer);
    LayerStack stack;
    if (const Status done = stack.load(std::move(layers)); !done) {
        log_.warning("state-file",
                     fmt::format("cannot restore the layers of clients: {}", done.error().message));
        return;
    }
    stack_ = std::move(stack);
    client_layers_ = std::move(kept);
}

// --- the end
// ---------------------------------------------------------------------------------------------------

void Daemon::shut_down(int code, std::string_view why) {
    if (stopping_) return;
    stopping_ = true;
    exit_code_ = code;
    log_.info("stopping", fmt::format("Exiting with code {}: {}", code, why));
    // Called from inside a service's event: go on when that is over.
    clock().post(scope_.guard([this] { stop_services(); }));
}

void Daemon::stop_services() {
    checks_->stop_all();
    execs_->end_all();
    changes_.hold_waiting(clock().wall());
    std::vector<ChangeId> commands;
    for (const auto& [id, change] : changes_.changes())
        if (!change.ready && change.kind == "exec") commands.push_back(id);
    for (const ChangeId id : commands)
        static_cast<void>(changes_.abort(id, "the supervisor is stopping", clock().wall()));
    settle();
    const auto change = request_stop_all(*this);
    Duration budget{};
    for (const std::string& name : services_->all_running())
        budget = std::max(budget, services_->find(name)->machine.started_with()->effective_kill_delay());
    if (!change) return finish_shut_down();
    stop_change_ = *change;
    const auto services = static_cast<Duration::rep>(changes_.find(*change)->tasks.size());
    stop_timer_ =
        clock().call_at(clock().now() + budget * std::max<Duration::rep>(services, 1) + kStopReserve,
                        [this] { finish_shut_down(); });
    settle();
}

void Daemon::finish_shut_down() {
    if (std::exchange(ended_, true)) return;
    stop_change_.reset();
    if (state_) state_->append({{"stopped", true}});
    clock().post(scope_.guard([this] {
        save();
        if (end_) end_(exit_code_);
    }));
}

}  // namespace pgherd::supervisor
