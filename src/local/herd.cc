#include "local/herd.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <map>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "codec/records.h"
#include "store_sqlite/store_sqlite.h"
#include "supervisor/log_sink.h"
#include "supervisor/service_requests.h"
#include "supervisor/services.h"

namespace pgherd::local {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kEvents = 8;
constexpr std::size_t kTailLines = 12;
constexpr std::uint64_t kHopeless =
    3;  // starts of an agent that ends each time, before the cluster was ever healthy

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

// Variables that would change what the agents' files say stay out of their environment.
void forget_foreign_settings() {
    std::vector<std::string> names;
    for (char** entry = environ; *entry; ++entry) {
        std::string_view text(*entry);
        if (text.starts_with("PATRONI_") || text.starts_with("PGHERD_") || text.starts_with("PG"))
            names.emplace_back(text.substr(0, text.find('=')));
    }
    for (const std::string& name : names) ::unsetenv(name.c_str());
}

}  // namespace

Herd::Herd(const Plan& plan, Duration timeout, Display& display, Settled settled)
    : plan_(plan),
      timeout_(timeout),
      display_(display),
      settled_(std::move(settled)),
      log_("supervisor", LogLevel::warning) {}

int Herd::run() {
    signals_ =
        std::make_unique<Signals>(loop_, std::vector{SIGINT, SIGTERM, SIGHUP}, [this](int) { stop(); });
    started_ = loop_.clock().now();
    event(fmt::format("starting {} member{} in {}", plan_.description.members.size(),
                      plan_.description.members.size() == 1 ? "" : "s", plan_.directory.path().string()));
    if (auto begun = start_members(); !begun) {
        settle(begun.error().message);
        return 1;
    }
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

Status Herd::start_members() {
    forget_foreign_settings();
    supervisor::Options options;
    options.directory = plan_.directory.path().string();
    options.socket = plan_.directory.supervisor_socket().string();
    options.persist = false;  // what runs is what `up` was told
    options.end_services_with_us = true;
    options.version = "v" PGHERD_VERSION;
    members_run_ = std::make_unique<supervisor::Daemon>(loop_, std::move(options), log_);
    members_run_->services().on_change = [this](const std::string&, std::string_view) { refresh(); };
    members_run_->on_end([this](int) {
        event("stopped; the data stays in " + plan_.directory.path().string());
        refresh();
        loop_.stop();
    });
    members_run_->logs().add_output(std::make_shared<supervisor::RotatedLogFiles>(
        loop_, supervisor::LogFileOptions{.directory = plan_.directory.logs().string()}, log_));
    PGHERD_TRY(api_, supervisor::ApiServer::listen(*members_run_));
    PGHERD_CHECK(members_run_->prepare());
    members_run_->start();
    return {};
}

void Herd::seen(Result<SnapshotPtr> result) {
    if (!result) return event("the store does not answer: " + result.error().message);
    cluster_ = parse(**result);
    refresh();
}

void Herd::refresh() {
    auto before = std::exchange(members_, describe_members(plan_.description, cluster_, troubles()));
    for (const std::string& line : changes(before, members_))
        if (!before.empty()) event(line);
    bool healthy = is_healthy(members_);
    if (healthy && !was_healthy_ && !stopping_)
        event(was_settled_ ? "healthy again"
                           : fmt::format("healthy after {}", to_text(loop_.clock().now() - started_)));
    was_healthy_ = healthy;
    if (healthy && !was_settled_) settle({});
    if (hopeless() && !was_settled_ && !stopping_) settle(why_not_healthy());
    display_.show({fmt::format("pgherd: cluster \"{}\" in {}", plan_.description.scope,
                               plan_.directory.path().string()),
                   status_text(),
                   members_,
                   {events_.begin(), events_.end()},
                   hints()});
}

void Herd::settle(std::string why_not) {
    if (std::exchange(was_settled_, true)) return;
    if (why_not.empty()) display_.hints(hints());
    if (settled_(why_not)) return;
    exit_code_ = 1;
    // Not from inside of a refresh.
    loop_.clock().post([this] { stop(); });
}

std::string Herd::why_not_healthy() {
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

std::map<std::string, std::string> Herd::troubles() const {
    std::map<std::string, std::string> found;
    for (const auto& [name, service] : members_run_->services().all()) {
        if (service.current == "backoff") found[name] = "its agent has ended and is started again";
        if (service.current == "error") found[name] = "its agent has ended";
        if (service.current == "inactive" && stopping_) found[name] = "stopped";
    }
    return found;
}

bool Herd::hopeless() const {
    return std::ranges::any_of(members_run_->services().all(), [](const auto& service) {
        return service.second.current == "backoff" && service.second.machine.starts() >= kHopeless;
    });
}

void Herd::stop() {
    if (std::exchange(stopping_, true)) return;
    event("stopping");
    std::vector<std::string> standbys;
    for (const std::string& name : members_run_->services().all_running())
        if (!cluster_.led_by(MemberName(name))) standbys.push_back(name);
    auto change = standbys.empty() ? Result<supervise::ChangeId>(fail("nobody to stop"))
                                   : supervisor::request_stop(*members_run_, standbys);
    if (!change) return stop_the_rest();
    members_run_->wait_for_change(*change, std::nullopt, [this](bool) { stop_the_rest(); });
    members_run_->settle();
}

void Herd::stop_the_rest() {
    members_run_->shut_down(0, "told to stop");
}

// --- texts
// -------------------------------------------------------------------------------------------------------------

void Herd::event(const std::string& text) {
    std::string line = time_of_day(loop_.clock().wall()) + " " + text;
    display_.event(line);
    events_.push_back(std::move(line));
    if (events_.size() > kEvents) events_.pop_front();
}

std::string Herd::status_text() const {
    if (stopping_) return members_run_->services().all_running().empty() ? "stopped" : "stopping";
    std::string missing = what_is_missing(members_);
    if (!missing.empty()) return was_settled_ ? missing : "starting: " + missing;
    return cluster_.config && cluster_.config->pause ? "healthy, paused" : "healthy";
}

std::vector<std::string> Herd::hints() const {
    std::string dir = plan_.directory.path().string();
    return {"connect:  " + psql_line(plan_.directory, plan_.description),
            fmt::format("inspect:  pgherd ctl --dir {} list", dir), fmt::format("logs:     {}/*/*.log", dir),
            fmt::format("stop:     Ctrl-C, or pgherd down --dir {}", dir)};
}

}  // namespace pgherd::local
