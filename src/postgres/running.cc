// Starting, stopping and promoting. The postmaster is the guard's child: orders go there, its end comes from
// there.
#include <csignal>
#include <cstring>

#include <fmt/format.h>
#include <sys/inotify.h>

#include "base/files.h"
#include "base/process_info.h"
#include "base/text.h"
#include "postgres/datadir.h"
#include "postgres/instance.h"

namespace pgherd::postgres {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// After SIGQUIT PostgreSQL itself kills what is left after 5 s; then it is the guard's turn.
constexpr Duration kQuitPatience = seconds(8);

// Tells changes of postmaster.pid, into whose eighth line the postmaster writes its status.
class LockFileWatch {
  public:
    LockFileWatch(asio::any_io_executor executor, const std::string& data_dir) {
        const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fd < 0) return;
        ::inotify_add_watch(fd, data_dir.c_str(), IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO);
        descriptor_.emplace(executor, fd);
    }
    asio::awaitable<void> wait(Notifier& also, Instant deadline) {
        using namespace asio::experimental::awaitable_operators;
        if (!descriptor_) {
            co_await also.wait(std::min(deadline, after(kLook)));
            co_return;
        }
        co_await (wait_ready(*descriptor_, asio::posix::stream_descriptor::wait_read, deadline) ||
                  also.wait(deadline));
        char events[4096];
        while (::read(descriptor_->native_handle(), events, sizeof events) > 0) {
        }
    }

  private:
    // Others of the same user may have used up what the kernel allows; then the caller looks again and again.
    static constexpr Duration kLook = milliseconds(20);
    std::optional<asio::posix::stream_descriptor> descriptor_;
};

// A session of a client, by its process title "postgres: <cluster>: <user> <database> …".
bool is_client_session(const std::string& title, const std::string& cluster) {
    static constexpr std::array<std::string_view, 19> kOthers{
        "checkpointer",      "background writer",   "walwriter",  "startup",
        "walreceiver",       "walsender",           "archiver",   "autovacuum launcher",
        "autovacuum worker", "logical replication", "logger",     "stats collector",
        "slotsync worker",   "walsummarizer",       "wal writer", "io worker",
        "parallel worker",   "checkpoint",          "archive"};
    std::string_view text = title;
    if (!text.starts_with("postgres: ")) return false;
    text.remove_prefix(10);
    if (text.starts_with(cluster + ": ")) text.remove_prefix(cluster.size() + 2);
    for (const auto other : kOthers)
        if (text.starts_with(other)) return false;
    return true;
}

int signal_of(StopMode mode) {
    return mode == StopMode::smart ? SIGTERM : mode == StopMode::fast ? SIGINT : SIGQUIT;
}

}  // namespace

Async<void> Instance::arm(Instant deadline) {
    const std::int64_t limit =
        deadline == Instant::max() ? guard::kNever : deadline.time_since_epoch().count();
    PGHERD_CO_CHECK(co_await guard_.confirmed(guard_.client().arm(limit, may_be_primary_)));
    co_return Status{};
}

Async<void> Instance::disarm() {
    // A primary that runs on without a lease (pause) may also be restarted without one.
    const bool primary = !gone() && may_be_primary_;
    PGHERD_CO_CHECK(co_await guard_.confirmed(primary ? guard_.client().arm(guard::kNever, true)
                                                      : guard_.client().disarm()));
    co_return Status{};
}

Async<void> Instance::send_signal(int number) {
    const auto sent = co_await guard_.confirmed(guard_.client().signal(number));
    if (sent) co_return Status{};
    // A guard that hangs must not keep a primary alive: the same process, found by pid and start time, is
    // signalled directly.
    const guard::GuardStatus& status = guard_.status();
    const auto process = status.postmaster_pid > 0 ? process_info(status.postmaster_pid) : std::nullopt;
    if (sent.error().code == ErrorCode::conflict || !process || process->start != status.postmaster_start)
        co_return std::unexpected(sent.error());
    if (::kill(status.postmaster_pid, number) != 0)
        co_return fail(fmt::format("cannot signal PostgreSQL: {}", std::strerror(errno)));
    co_return Status{};
}

Async<void> Instance::adopt(pid_t pid) {
    auto adopted = co_await guard_.confirmed(guard_.client().adopt(pid));
    if (!adopted)
        co_return std::unexpected(
            with_context(std::move(adopted).error(),
                         fmt::format("cannot adopt the running PostgreSQL (process {})", pid)));
    log_.info("postgres-adopted", fmt::format("found PostgreSQL running as process {}", pid));
    told_to_end_ = false;
    may_be_primary_ = true;
    co_return Status{};
}

Async<void> Instance::await_ready(Instant deadline) {
    LockFileWatch watch(co_await asio::this_coro::executor, data_dir());
    while (true) {
        if (gone()) co_return fail(fmt::format("cannot start PostgreSQL: it {}", why_it_ended()));
        const auto lock = read_lock_file(data_dir());
        if (lock && *lock && (*lock)->pid == guard_.status().postmaster_pid &&
            ((*lock)->status == "ready" || (*lock)->status == "standby"))
            co_return Status{};
        if (boottime_now() >= deadline)
            co_return fail(ErrorCode::timeout, "PostgreSQL does not accept connections yet");
        co_await watch.wait(guard_.changed(), deadline);
    }
}

Async<void> Instance::launch(bool as_primary, Instant deadline) {
    PGHERD_CO_TRY(const Binaries programs, binaries());
    if (const auto control = co_await read_control(); !control) co_return std::unexpected(control.error());
    PGHERD_CO_CHECK(write_configuration());
    PGHERD_CO_CHECK(remove_former_locks());
    guard::StartOrder order{.argv = {programs.path("postgres"), "-D", data_dir(),
                                     "--config-file=" + config_dir() + "/postgresql.conf"},
                            .environment = server_environment(identity_),
                            .working_directory = data_dir(),
                            .as_primary = as_primary,
                            .change_user = identity_.change,
                            .uid = identity_.uid,
                            .gid = identity_.gid};
    order.groups.assign(identity_.groups.begin(), identity_.groups.end());
    for (const auto& [name, value] : command_line(render_input()))
        order.argv.push_back(fmt::format("--{}={}", name, value));
    if (!config_.log.dir.empty()) {
        order.log_file = fmt::format("{}/postgresql-{}.log", config_.log.dir, config_.name.text());
        if (!exists(order.log_file)) PGHERD_CO_CHECK(write_file(identity_, order.log_file, ""));
    }
    crashed_.reset();
    exit_text_.clear();
    // Until it is ready, its end is the answer to this operation and no event.
    told_to_end_ = true;
    struct Watched {
        Instance& instance;
        ~Watched() { instance.told_to_end_ = false; }
    } const watched{*this};
    may_be_primary_ = as_primary;
    PGHERD_CO_CHECK(co_await guard_.confirmed(guard_.client().start(order)));
    const auto ready = co_await await_ready(deadline);
    if (!ready && gone()) crashed_ = true;
    co_return ready;
}

Async<void> Instance::start(StartSpec spec, Duration timeout) {
    const Instant deadline = after(timeout);
    if (!gone())
        co_return fail(ErrorCode::conflict, "cannot start PostgreSQL: it runs already, or is not gone yet");
    PGHERD_CO_TRY(const auto postmaster, running_postmaster(data_dir()));
    if (postmaster) {
        PGHERD_CO_CHECK(co_await adopt(*postmaster));
        co_return co_await await_ready(deadline);
    }
    PGHERD_CO_TRY(const auto single, running_single_user(data_dir()));
    if (single)
        co_return fail(ErrorCode::conflict,
                       fmt::format("cannot start PostgreSQL: process {} works in {} in single-user mode",
                                   *single, data_dir()));
    PGHERD_CO_TRY(const DataDirectory state, examine(data_dir()));
    if (state != DataDirectory::valid)
        co_return fail(ErrorCode::conflict,
                       fmt::format("cannot start PostgreSQL: {} is no complete instance", data_dir()));
    PGHERD_CO_CHECK(remove_dangling_timelines(data_dir()));
    spec_ = spec;
    if (spec.standby) {
        PGHERD_CO_CHECK(write_file(identity_, data_dir() + "/standby.signal", ""));
    } else {
        PGHERD_CO_CHECK(remove_file(data_dir() + "/standby.signal"));
        if (custom_recovery_.empty()) PGHERD_CO_CHECK(remove_file(data_dir() + "/recovery.signal"));
    }
    co_return co_await launch(!spec.standby, deadline);
}

bool Instance::has_client_sessions() const {
    for (const auto& process : all_processes()) {
        if (process.parent != guard_.status().postmaster_pid || process.state == 'Z') continue;
        auto title = read_file(fmt::format("/proc/{}/cmdline", process.pid));
        if (title && is_client_session(*title, config_.scope)) return true;
    }
    return false;
}

Async<void> Instance::await_end(Instant deadline, Then safepoint) {
    Duration pause = milliseconds(5);
    Instant quit_at = deadline;
    bool quit = false;
    while (!gone()) {
        // No event tells the end of a session; the processes are looked at, 5 ms apart at first.
        if (safepoint && !has_client_sessions()) std::exchange(safepoint, nullptr)();
        const Instant now = boottime_now();
        if (now >= quit_at) {
            static_cast<void>(co_await send_signal(quit ? SIGKILL : SIGQUIT));
            quit_at = now + kQuitPatience;
            quit = true;
        }
        co_await guard_.changed().wait(std::min(quit_at, safepoint ? now + pause : quit_at));
        pause = std::min<Duration>(pause * 2, milliseconds(100));
    }
    if (safepoint) safepoint();
    co_return Status{};
}

Async<void> Instance::stop(StopMode mode, bool checkpoint_first, Instant deadline, Then safepoint) {
    if (gone()) {
        if (safepoint) safepoint();
        co_return Status{};
    }
    if (!config_.postgres.before_stop.empty() && mode != StopMode::immediate) {
        const auto ran = co_await run_child(identity_,
                                            {.argv = shell_command(config_.postgres.before_stop, {}),
                                             .environment = tool_environment(identity_, {})},
                                            deadline);
        if (!ran || !ran->succeeded())
            log_.warning("before-stop", ran ? "before_stop " + ran->describe() : ran.error().message);
    }
    if (checkpoint_first && mode != StopMode::immediate) {
        const auto done = co_await query("CHECKPOINT", deadline, {{"options", "-c statement_timeout=0"}});
        if (!done) log_.warning("checkpoint", done.error().message);
    }
    told_to_end_ = stopping_ = true;
    struct Told {
        Instance& instance;
        ~Told() { instance.told_to_end_ = instance.stopping_ = false; }
    } const told{*this};
    if (const auto sent = co_await send_signal(signal_of(mode)); !sent && !gone()) co_return sent;
    const Instant limit = mode == StopMode::immediate ? std::min(deadline, after(kQuitPatience)) : deadline;
    co_return co_await await_end(limit, std::move(safepoint));
}

Async<void> Instance::restart(Duration timeout) {
    const Instant deadline = after(timeout);
    PGHERD_CO_CHECK(co_await learn_upstream());
    PGHERD_CO_CHECK(co_await stop(StopMode::fast, true, deadline, nullptr));
    StartSpec spec = spec_.value_or(StartSpec{.standby = true});
    co_return co_await start(std::move(spec), std::max<Duration>(left_until(deadline), seconds(5)));
}

Async<void> Instance::promote(Timeline claimed) {
    const Instant deadline = after(config_.postgres.pg_ctl_timeout);
    // Arming anew marks the standby, as it runs, as something that ends at the deadline.
    PGHERD_CO_TRY(const guard::GuardStatus status, co_await guard_.confirmed(guard_.client().status()));
    if (status.phase != guard::PostmasterPhase::running)
        co_return fail(ErrorCode::conflict, "cannot promote: PostgreSQL does not run");
    if (status.deadline == guard::kDisarmed)
        co_return fail(ErrorCode::conflict,
                       "cannot promote: there is no deadline by which a primary would be stopped");
    PGHERD_CO_CHECK(co_await guard_.confirmed(guard_.client().arm(status.deadline, true)));
    may_be_primary_ = true;
    PGHERD_CO_TRY(const auto session, co_await connect_local(deadline));
    PGHERD_CO_TRY(const Timeline current, co_await replayed_timeline(deadline));
    // Only now: a standby that starts anew with such files refuses to.
    PGHERD_CO_CHECK(pass_over_timelines(identity_, data_dir(), current, claimed));
    auto promoted = co_await end_recovery(*session, deadline);
    if (!promoted && !promoted.error().maybe_done()) PGHERD_CO_CHECK(remove_dangling_timelines(data_dir()));
    co_return promoted;
}

Async<void> Instance::end_recovery(Connection& session, Instant deadline) {
    LockFileWatch watch(co_await asio::this_coro::executor, data_dir());
    PGHERD_CO_CHECK(write_file(identity_, data_dir() + "/promote", ""));
    PGHERD_CO_CHECK(co_await send_signal(SIGUSR1));
    Duration pause = milliseconds(5);
    while (true) {
        // The postmaster writes "ready" a moment after the end of recovery; the question finds it somewhat
        // earlier.
        auto answer = co_await session.query("SELECT pg_is_in_recovery() AS standby", deadline);
        if (answer && answer->at(0, "standby") == "f") break;
        if (gone()) co_return fail(fmt::format("cannot promote: PostgreSQL {}", why_it_ended()));
        if (!answer) {
            answer.error().certainty = Certainty::maybe_done;
            co_return std::unexpected(
                with_context(std::move(answer).error(), "cannot see whether PostgreSQL is promoted"));
        }
        if (boottime_now() >= deadline)
            co_return fail(ErrorCode::timeout, "PostgreSQL does not finish its promotion in time",
                           Certainty::maybe_done);
        co_await watch.wait(guard_.changed(), std::min(deadline, after(pause)));
        pause = std::min<Duration>(pause * 2, milliseconds(50));
    }
    spec_ = StartSpec{.standby = false};
    co_return Status{};
}

Async<void> Instance::checkpoint() {
    PGHERD_CO_CHECK(
        co_await query("CHECKPOINT", after(std::chrono::hours(1)), {{"options", "-c statement_timeout=0"}}));
    co_return Status{};
}

}  // namespace pgherd::postgres
