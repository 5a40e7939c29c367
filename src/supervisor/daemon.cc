#include "supervisor/daemon.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/files.h"
#include "base/text.h"
#include "codec/agent_config.h"
#include "supervise/go_text.h"
#include "supervise/layer_yaml.h"
#include "supervise/order.h"
#include "supervise/plan.h"
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
constexpr auto kForwardLimit = std::chrono::seconds(3);  // for the last lines, when services have ended
constexpr auto kStopReserve = std::chrono::milliseconds(5100);  // beyond the longest kill-delay
constexpr Duration kLongestStop = std::chrono::hours(24 * 365);

// As PID 1 our life is that of the container; otherwise the machine's boot is what clients must notice.
std::string find_boot_id() {
    const char* path = ::getpid() == 1 ? "/proc/sys/kernel/random/uuid" : "/proc/sys/kernel/random/boot_id";
    return std::string(trim(read_file(path).value_or("")));
}

}  // namespace

Daemon::Daemon(EventLoop& loop, Options options, Log& log)
    : loop_(loop),
      options_(std::move(options)),
      log_(log),
      boot_id_(find_boot_id()),
      keeper_(books_, boot_id_, log),
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
    PGHERD_CHECK(books_.layers.load(std::move(layers)));
    if (options_.persist) keeper_.restore(options_.directory + "/.pgherd.state");
    if (!options_.arguments.empty()) PGHERD_CHECK(books_.layers.set_service_arguments(options_.arguments));
    if (!options_.identities.empty()) PGHERD_CHECK(read_identities());
    books_.changes.give_up_unfinished(clock().wall());
    books_.changes.prune(clock().wall());
    books_.notices.prune(clock().wall());
    keeper_.begin();
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
        books_.changes.prune(clock().wall());
        books_.notices.prune(clock().wall());
        settle();
        prune_later();
    });
}

// --- layers and identities ---------------------------------------------------------------------------------

Status Daemon::add_layer(Layer layer, bool combine, bool inner) {
    const std::string label = layer.label;
    PGHERD_CHECK(combine ? books_.layers.combine_with(std::move(layer), inner)
                         : books_.layers.append(std::move(layer), inner));
    for (const Layer& each : books_.layers.layers())
        if (each.label == label) keeper_.keep_layer(each);
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
    PGHERD_TRY(const std::string text, read_file(options_.identities));
    const auto document = parse_yaml(text, options_.identities);
    if (!document) return complain(document.error().message);
    const JsonObject* root = document->if_object();
    const Json* inner = root ? root->if_contains("identities") : nullptr;
    if (!inner || !inner->is_object()) return complain("it must have the key \"identities\" with a mapping");
    const auto input = parse_identities(inner->get_object());
    if (!input) return complain(input.error().message);
    if (const Status done = books_.identities.replace(*input); !done) return complain(done.error().message);
    return {};
}

// --- changes -----------------------------------------------------------------------------------------------

ChangeId Daemon::add_change(NewChange change) {
    return books_.changes.add(std::move(change), clock().wall());
}
void Daemon::task_info(TaskId id, std::string_view text) {
    books_.changes.log(id, LogKind::info, text, clock().wall());
}
void Daemon::task_done(TaskId id) {
    books_.changes.finish(id, clock().wall());
}
void Daemon::task_failed(TaskId id, std::string_view error) {
    books_.changes.fail(id, error, clock().wall());
}

void Daemon::settle() {
    settle_again_ = true;
    if (settling_) return;
    settling_ = true;
    // An exception is its request's alone: the next one must be able to settle.
    const std::unique_ptr<bool, void (*)(bool*)> over(&settling_, [](bool* settling) { *settling = false; });
    while (settle_again_) {
        settle_again_ = false;
        begin_tasks();
        tell_waiters();
    }
    keeper_.save(clock().now());
}

void Daemon::begin_tasks() {
    for (const TaskId id : books_.changes.take_to_abort()) {
        const Task* task = books_.changes.find_task(id);
        const auto kind = task ? kinds_.find(task->kind) : kinds_.end();
        if (kind != kinds_.end() && kind->second.abort) kind->second.abort(id);
        settle_again_ = true;
    }
    for (const TaskId id : books_.changes.take_startable(clock().wall())) {
        const Task* task = books_.changes.find_task(id);
        if (!task || task->status != WorkStatus::doing) continue;
        const auto kind = kinds_.find(task->kind);
        if (kind != kinds_.end() && kind->second.run) kind->second.run(id);
        settle_again_ = true;
    }
}

void Daemon::tell_waiters() {
    for (const ChangeId id : books_.changes.take_ready()) {
        std::vector<Ticket> tickets;
        for (const auto& [ticket, waiter] : waiters_)
            if (waiter.change == id) tickets.push_back(ticket);
        for (const Ticket ticket : tickets) finish_waiter(ticket, true);
        if (stop_change_ == id) finish_shut_down();
    }
    // The state file wants them too, later.
    if (!books_.notices.has_changed()) return;
    std::vector<Ticket> tickets;
    for (const auto& [ticket, waiter] : waiters_)
        if (!waiter.change && books_.notices.any(waiter.filter, clock().wall())) tickets.push_back(ticket);
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

// --- the end -----------------------------------------------------------------------------------------------

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
    books_.changes.hold_waiting(clock().wall());
    std::vector<ChangeId> commands;
    for (const auto& [id, change] : books_.changes.changes())
        if (!change.ready && change.kind == "exec") commands.push_back(id);
    for (const ChangeId id : commands)
        static_cast<void>(books_.changes.abort(id, "the supervisor is stopping", clock().wall()));
    settle();
    const auto change = request_stop_all(*this);
    Duration budget{};
    for (const std::string& name : services_->all_running())
        budget = std::max(budget, services_->find(name)->machine.started_with()->effective_kill_delay());
    if (!change) return finish_shut_down();
    stop_change_ = change;
    const auto services = static_cast<Duration::rep>(books_.changes.find(*change)->tasks.size());
    const auto each = std::max<Duration::rep>(services, 1);
    stop_timer_ = clock().call_at(clock().now() + std::min(budget, kLongestStop / each) * each + kStopReserve,
                                  [this] { finish_shut_down(); });
    settle();
}

void Daemon::finish_shut_down() {
    if (std::exchange(ended_, true)) return;
    stop_change_.reset();
    logs_->take_rest();
    forwarding_->finish(kForwardLimit, scope_.guard([this] {
        keeper_.keep_end();
        keeper_.save(clock().now());
        if (end_) end_(exit_code_);
    }));
}

}  // namespace pgherd::supervisor
