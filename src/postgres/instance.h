// What the operations on the local instance share. Private to the module; LocalPostgres wraps it.
//
// Each operation is a coroutine. Role and upstream are remembered only as far as nobody else knows them: what
// runs is asked of the guard and of the server each time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "eventloop/loop.h"
#include "model/agent_config.h"
#include "ports/log.h"
#include "ports/postgres.h"
#include "postgres/async.h"
#include "postgres/binaries.h"
#include "postgres/child.h"
#include "postgres/connection.h"
#include "postgres/guard_link.h"
#include "postgres/identity.h"
#include "postgres/observation.h"
#include "postgres/passwords.h"
#include "postgres/rendering.h"

namespace pgherd::postgres {

class Instance {
  public:
    using Progress = Postgres::Progress;

    Instance(EventLoop& loop, AgentConfig config, guard::Client guard, Log& log, Identity identity);

    // Spawned once: reads the guard's reports, and adopts a postmaster that runs already.
    asio::awaitable<void> read_reports() { return guard_.read_reports(); }
    asio::awaitable<void> begin();
    asio::awaitable<void> begun();  // waits for it
    void close();
    bool closed() const { return closed_; }
    Tasks& tasks() { return tasks_; }
    void on_event(Postgres::Events events) { events_ = std::move(events); }
    void reconfigure(AgentConfig config);
    // The store knows the cluster that a bootstrap made here.
    void registered();
    void ready() { static_cast<void>(guard_.client().ready()); }

    // observe.cc
    Async<PostgresState> observe(Instant deadline);
    // running.cc
    Async<void> arm(Instant deadline);
    Async<void> disarm();
    Async<void> start(StartSpec spec, Duration timeout);
    Async<void> stop(StopMode mode, bool checkpoint, Instant deadline, Then safepoint);
    Async<void> promote(Timeline claimed);
    Async<void> restart(Duration timeout);
    Async<void> checkpoint();
    // settings.cc
    void configure(const InstanceConfig& config) { wanted_ = config; }
    Async<void> follow(Upstream upstream);
    Async<void> reload();
    // standby_names.cc
    Async<Lsn> set_synchronous_standby_names(std::string names);
    // bootstrap.cc
    Async<void> bootstrap(Progress progress);
    // copying.cc
    Async<void> clone(Upstream source, Progress progress);
    Async<void> rewind(Upstream source, Progress progress);
    Async<void> quarantine();
    // slots.cc
    Async<void> sync_slots(std::map<std::string, Lsn> wanted);
    Async<UpstreamHistory> upstream_history(Upstream upstream, Instant deadline);
    // hooks.cc
    void callback(std::string event, Role role);
    Async<void> pre_promote();

  private:
    // instance.cc
    const std::string& data_dir() const { return config_.postgres.data_dir; }
    const std::string& config_dir() const {
        return config_.postgres.config_dir.empty() ? data_dir() : config_.postgres.config_dir;
    }
    Result<Binaries> binaries() const;
    std::string socket_dir() const;
    RenderInput render_input() const;
    Async<std::unique_ptr<Connection>> connect_local(Instant deadline, ConnectionParameters extra = {});
    Async<Table> query(std::string sql, Instant deadline, ConnectionParameters extra = {});
    Async<ControlData> read_control();
    Async<void> sync_data();     // what a tool has written with --no-sync
    Status prepare_directory();  // absent or incomplete → empty, journalled by the caller
    void on_report(const guard::Report& report);
    std::string why_it_ended() const;
    bool gone() const { return guard_.status().phase == guard::PostmasterPhase::none; }
    Result<bool> in_use() const;  // whatever the guard knows: nothing may touch the files
    // Nothing else works in the data directory from here on. `purpose`: "clone", for the error.
    Async<void> take_directory(std::string_view purpose);
    Status remove_former_locks() const;
    // Of a tool that fills the data directory: marked, so that take_directory() finds it.
    std::vector<std::string> filling_environment(std::vector<std::string> extra) const;

    // running.cc
    Async<void> send_signal(int number);
    Async<void> adopt(pid_t pid);
    Async<void> await_ready(Instant deadline);
    Async<void> launch(bool as_primary, Instant deadline);
    Async<void> await_end(Instant deadline, Then safepoint);
    Async<void> end_recovery(Connection& session, Instant deadline);
    bool has_client_sessions() const;

    // password_change.cc
    Status write_password_file();
    Async<void> change_passwords(Connection& session, bool streaming, Instant deadline);
    Async<void> drop_refused_passwords(Upstream upstream, Instant deadline);

    // settings.cc
    Status write_configuration();
    Async<void> learn_upstream();
    // standby_names.cc
    Async<Lsn> confirm_standby_names(const std::string& names, bool switched_on, Instant deadline);

    // observe.cc
    Async<void> ask_server(PostgresState& state, Instant deadline);
    Async<Timeline> replayed_timeline(Instant deadline);
    Postmaster postmaster_state();
    Status look_at_directory(PostgresState& state) const;
    Status look_at_timelines(PostgresState& state) const;
    void tell_unreadable(PostgresState& state, const Error& why);
    void add_pending_restarts(const ServerFacts& facts, PostgresState& state) const;

    // bootstrap.cc
    Async<void> run_initdb();
    Async<void> run_custom_bootstrap();
    Async<void> create_users();
    Async<void> run_post_bootstrap();
    Async<void> await_end_of_recovery(Instant deadline);
    Async<void> bring_up_new_cluster();

    // copying.cc
    Async<void> run_basebackup(const Upstream& source, const std::string& slot, const Progress& progress);
    Async<void> run_method(const ReplicaMethod& method, std::string verb, std::vector<std::string> arguments,
                           Duration limit);
    Async<void> run_replica_method(const ReplicaMethod& method, const Upstream& source);
    Async<void> copy_by_any_method(const Upstream& source, const Progress& progress);
    Async<std::vector<std::string>> tablespaces_to_fill(const Upstream& source);
    ConnectionParameters rewind_conninfo(const Upstream& source) const;
    Async<std::unique_ptr<Connection>> log_in_as_rewind(const Upstream& source);
    Async<void> reach_for_rewind(const Upstream& source);
    Result<std::vector<std::string>> rewind_command(const Upstream& source) const;
    Async<void> run_rewind(const Upstream& source, std::vector<std::string> argv, const Progress& progress);

    EventLoop& loop_;
    AgentConfig config_;
    Log& log_;
    Identity identity_;
    Tasks tasks_;
    GuardLink guard_;
    Postgres::Events events_;
    bool closed_ = false;
    bool begun_ = false;
    Notifier begun_changed_;

    InstanceConfig wanted_;
    FormerPasswords former_passwords_;
    std::optional<StartSpec> spec_;  // how it was started or was found; nothing: not known yet
    std::map<std::string, std::string> custom_recovery_;  // while a custom bootstrap recovers
    std::optional<std::string> names_in_force_;  // synchronous_standby_names, as confirmed of this postmaster
    bool may_be_primary_ = false;
    bool told_to_end_ = false;  // an operation waits for the postmaster's end: it is no event
    bool stopping_ = false;
    std::optional<bool> crashed_;  // how the last one ended; nothing: it was before our time
    std::string exit_text_;
    int last_exit_ = 0;

    // The postmaster as its lock file said when that could be read.
    struct Phase {
        pid_t postmaster = 0;
        Postmaster seen = Postmaster::starting;
    };
    Phase phase_;
    std::string told_unreadable_;  // why the directory cannot be looked at, as already told

    std::optional<ControlData> control_;
    std::int64_t control_changed_ = 0;     // modification time of pg_control when it was read, in ns
    std::unique_ptr<Connection> session_;  // for observe
    bool session_in_use_ = false;
    Timeline seen_timeline_;  // that the WAL receiver of this postmaster has streamed on
    std::unique_ptr<Tasks> callback_;
};

}  // namespace pgherd::postgres
