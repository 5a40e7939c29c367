// The supervisor: holds the parts together and keeps what they have agreed on.
//
// Everything happens in one event loop. A part changes the books (changes, notices, identities, layers) and
// then calls `settle`: tasks that may start are started, those who wait for a change or a notice are told,
// and what is new goes to the state file. Nothing here blocks but that write.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/scope.h"
#include "eventloop/loop.h"
#include "ports/log.h"
#include "process/process.h"
#include "supervisor/options.h"
#include "supervisor/state_keeper.h"

namespace pgherd::supervisor {

class Services;
class Checks;
class LogHub;
class LogForwarding;
class FileWork;
class ExecSessions;

// What the tasks of a kind ("start", "exec", …) mean. A task that nobody runs is driven by its owner.
struct TaskKind {
    std::function<void(supervise::TaskId)> run;    // may be empty
    std::function<void(supervise::TaskId)> abort;  // may be empty
};

class Daemon {
  public:
    Daemon(EventLoop& loop, Options options, Log& log);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    // Reads state, layers and identities. Then `start`: checks run, and default services unless on hold.
    Status prepare();
    void start();
    // Stops services in their order, then calls what `on_end` was given, with the first exit code asked for.
    void shut_down(int code, std::string_view why);
    void on_end(std::function<void(int code)> end) { end_ = std::move(end); }
    bool stopping() const { return stopping_; }

    EventLoop& loop() { return loop_; }
    Clock& clock() { return loop_.clock(); }
    Log& log() { return log_; }
    const Options& options() const { return options_; }
    Processes& processes() { return *processes_; }
    Services& services() { return *services_; }
    Checks& checks() { return *checks_; }
    LogHub& logs() { return *logs_; }
    FileWork& files() { return *files_; }
    ExecSessions& execs() { return *execs_; }
    supervise::ChangeBook& changes() { return books_.changes; }
    supervise::NoticeBook& notices() { return books_.notices; }
    supervise::Identities& identities() { return books_.identities; }
    const supervise::Plan& plan() const { return books_.layers.plan(); }
    const std::string& boot_id() const { return boot_id_; }
    const std::string& plan_answer();  // GET /v1/plan, rendered once per plan
    std::string http_address;          // where TCP listens, if it does
    std::string services_answer;  // GET /v1/services of all, until something of it changes; empty = not made

    void set_task_kind(std::string kind, TaskKind meaning) { kinds_[std::move(kind)] = std::move(meaning); }
    supervise::ChangeId add_change(supervise::NewChange change);
    void task_info(supervise::TaskId id, std::string_view text);
    void task_done(supervise::TaskId id);
    void task_failed(supervise::TaskId id, std::string_view error);

    // A layer of a client, under the rules of LayerStack.
    Status add_layer(supervise::Layer layer, bool combine, bool inner);
    // Identities have changed: they are on disk when this returns well.
    Status keep_identities() { return keeper_.keep_identities(); }

    // Carries on with everything that has become due.
    void settle();

    // Both call `done` once, with false when the time is over first, and never after `forget`.
    using Ticket = std::uint64_t;
    Ticket wait_for_change(supervise::ChangeId id, std::optional<Duration> limit,
                           std::function<void(bool)> done);
    Ticket wait_for_notices(supervise::NoticeFilter filter, Duration limit, std::function<void(bool)> done);
    void forget(Ticket ticket);

    // What a service's process, and whatever runs in its context, gets: the daemon's environment with the
    // workload's and the service's own over it.
    ProcessEnvironment environment_of(const supervise::Service& service) const;
    const ProcessEnvironment& own_environment() const { return own_environment_; }

  private:
    struct Waiter {
        std::optional<supervise::ChangeId> change;
        supervise::NoticeFilter filter;
        std::function<void(bool)> done;
        Timer timer;
    };

    void begin_tasks();
    void tell_waiters();
    void finish_waiter(Ticket ticket, bool well);
    Status read_identities();
    void plan_changed();
    void prune_later();
    void stop_services();
    void finish_shut_down();

    EventLoop& loop_;
    Options options_;
    Log& log_;
    std::string boot_id_;
    ProcessEnvironment own_environment_;
    Books books_;
    StateKeeper keeper_;
    std::map<std::string, TaskKind> kinds_;
    std::map<Ticket, Waiter> waiters_;
    Ticket last_ticket_ = 0;
    std::string plan_answer_;
    bool settling_ = false;
    bool settle_again_ = false;
    bool stopping_ = false;
    bool ended_ = false;
    int exit_code_ = 0;
    std::optional<supervise::ChangeId> stop_change_;
    std::function<void(int)> end_;
    Timer prune_timer_;
    Timer stop_timer_;
    std::unique_ptr<Processes> processes_;
    std::unique_ptr<LogHub> logs_;
    std::unique_ptr<LogForwarding> forwarding_;
    std::unique_ptr<Services> services_;
    std::unique_ptr<Checks> checks_;
    std::unique_ptr<FileWork> files_;
    std::unique_ptr<ExecSessions> execs_;
    Scope scope_;
};

}  // namespace pgherd::supervisor
