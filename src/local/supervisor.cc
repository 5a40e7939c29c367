#include "local/supervisor.h"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "codec/records.h"
#include "store_sqlite/store_sqlite.h"

namespace pgherd::local {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kEvents = 8;
constexpr std::size_t kTailLines = 12;
constexpr int kHopeless = 3;  // an agent that ended this often before the cluster was ever healthy

std::string time_of_day(WallTime time) {
    auto seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(time));
    return fmt::format("{:%H:%M:%S}", fmt::localtime(seconds));
}

ClusterView parse(const Snapshot& snapshot) {
    std::map<std::string, StoredRecord> records;
    for (const auto& [key, record] : snapshot.records)
        records[key] = {record.value, record.modified, record.lease};
    return parse_cluster(snapshot.revision, records);
}

}  // namespace

Supervisor::Supervisor(const Plan& plan, Duration timeout, Display& display, Settled settled)
    : plan_(plan), timeout_(timeout), display_(display), settled_(std::move(settled)) {}

int Supervisor::run() {
    signals_ = std::make_unique<Signals>(loop_, std::vector{SIGINT, SIGTERM, SIGHUP, SIGCHLD},
                                         [this](int number) { handle_signal(number); });
    started_ = loop_.clock().now();
    event(fmt::format("starting {} member{} in {}", plan_.description.members.size(),
                      plan_.description.members.size() == 1 ? "" : "s", plan_.directory.path().string()));
    for (const LocalMember& member : plan_.description.members)
        processes_.push_back(std::make_unique<MemberProcess>(loop_.clock(), plan_.directory, member.name,
                                                             [this] { refresh(); }));
    for (auto& process : processes_) process->start();
    deadline_ = loop_.clock().call_at(started_ + timeout_, [this] {
        if (!was_settled_) settle(why_not_healthy());
    });
    auto store = open_sqlite_store(loop_, plan_.directory.store().string());
    if (store) {
        store_ = std::move(*store);
        watch_ = store_->watch([this](Result<SnapshotPtr> result) { seen(std::move(result)); });
    } else {
        settle(store.error().message);
    }
    loop_.run();
    watch_.reset();
    return exit_code_;
}

void Supervisor::seen(Result<SnapshotPtr> result) {
    if (!result) return event("the store does not answer: " + result.error().message);
    cluster_ = parse(**result);
    refresh();
}

void Supervisor::handle_signal(int number) {
    if (number == SIGCHLD) {
        for (auto& process : processes_) process->reap();
        if (stopping_) stop_next();
    } else {
        stop();
    }
}

void Supervisor::refresh() {
    std::map<std::string, std::string> troubles;
    for (const auto& process : processes_)
        if (!process->trouble().empty()) troubles[process->name()] = process->trouble();
    auto before = std::exchange(members_, describe_members(plan_.description, cluster_, troubles));
    for (const std::string& line : changes(before, members_))
        if (!before.empty()) event(line);
    bool healthy = is_healthy(members_);
    if (healthy && !was_healthy_ && !stopping_)
        event(was_settled_ ? "healthy again"
                           : fmt::format("healthy after {}", to_text(loop_.clock().now() - started_)));
    was_healthy_ = healthy;
    if (healthy && !was_settled_) settle({});
    bool hopeless =
        std::ranges::any_of(processes_, [](const auto& process) { return process->failures() >= kHopeless; });
    if (hopeless && !was_settled_ && !stopping_) settle(why_not_healthy());
    display_.show({fmt::format("pgherd: cluster \"{}\" in {}", plan_.description.scope,
                               plan_.directory.path().string()),
                   status_text(),
                   members_,
                   {events_.begin(), events_.end()},
                   hints()});
}

void Supervisor::settle(std::string why_not) {
    if (std::exchange(was_settled_, true)) return;
    if (why_not.empty()) display_.hints(hints());
    if (settled_(why_not)) return;
    exit_code_ = 1;
    // Not from inside of a refresh.
    loop_.clock().post([this] { stop(); });
}

std::string Supervisor::why_not_healthy() {
    std::string why = fmt::format("not healthy after {}: {}", to_text(loop_.clock().now() - started_),
                                  what_is_missing(members_));
    for (const MemberView& member : members_) {
        if (member.state == "streaming" || (member.role == "leader" && member.state == "running")) continue;
        auto log = plan_.directory.agent_log(member.name);
        std::string tail = tail_of(log, kTailLines);
        if (!tail.empty()) why += fmt::format("\n--- the end of {}:\n{}", log.string(), tail);
    }
    while (why.ends_with('\n')) why.pop_back();
    return why;
}

// --- the end
// -----------------------------------------------------------------------------------------------------------

void Supervisor::stop() {
    if (!std::exchange(stopping_, true)) event("stopping");
    stop_next();
}

void Supervisor::stop_next() {
    auto leads = [this](const auto& process) { return cluster_.led_by(MemberName(process->name())); };
    bool standbys_run = false;
    for (auto& process : processes_) {
        if (leads(process)) continue;
        if (!process->stopping()) process->stop();
        standbys_run = standbys_run || process->running();
    }
    if (standbys_run) return;
    bool running = false;
    for (auto& process : processes_) {
        if (!process->stopping()) process->stop();
        running = running || process->running();
    }
    if (running) return;
    event("stopped; the data stays in " + plan_.directory.path().string());
    refresh();
    loop_.stop();
}

// --- texts
// -------------------------------------------------------------------------------------------------------------

void Supervisor::event(const std::string& text) {
    std::string line = time_of_day(loop_.clock().wall()) + " " + text;
    display_.event(line);
    events_.push_back(std::move(line));
    if (events_.size() > kEvents) events_.pop_front();
}

std::string Supervisor::status_text() const {
    bool running = std::ranges::any_of(processes_, [](const auto& process) { return process->running(); });
    if (stopping_) return running ? "stopping" : "stopped";
    std::string missing = what_is_missing(members_);
    if (!missing.empty()) return was_settled_ ? missing : "starting: " + missing;
    return cluster_.config && cluster_.config->pause ? "healthy, paused" : "healthy";
}

std::vector<std::string> Supervisor::hints() const {
    std::string dir = plan_.directory.path().string();
    return {"connect:  " + psql_line(plan_.directory, plan_.description),
            fmt::format("inspect:  pgherd ctl --dir {} list", dir), fmt::format("logs:     {}/*/*.log", dir),
            fmt::format("stop:     Ctrl-C, or pgherd down --dir {}", dir)};
}

}  // namespace pgherd::local
