// The operations of an instance, the guard's among them, and how its processes come and go.
#include <algorithm>

#include <fmt/format.h>

#include "sim/postgres/server.h"
#include "sim/postgres/server_detail.h"

namespace pgherd::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::string_view kOneAtATime = "one operation of PostgreSQL at a time";
constexpr std::string_view kForeign = "a foreign data directory is never touched";

}  // namespace

// --- the frame of an operation
// -----------------------------------------------------------------------------------------

bool Server::begin(std::string_view operation, Done<void>& done) {
    world_.trace.note(member_, operation, 0, [this] { return describe(); });
    if (busy_) {
        world_.witness.violation(kOneAtATime,
                                 fmt::format("{} asks for {} while {} runs", name(), operation, operation_));
        world_.clock.post([done = std::move(done)]() mutable {
            done(fail(ErrorCode::conflict, "another operation is running"));
        });
        return false;
    }
    busy_ = true;
    operation_ = operation;
    done_ = std::move(done);
    return true;
}

void Server::finish(Status status) {
    if (!busy_) return;
    world_.trace.note(member_, status ? "operation done" : "operation failed", 0, [&] {
        return fmt::format("{}{}", operation_, status ? "" : ": " + status.error().message);
    });
    busy_ = false;
    safepoint_ = nullptr;
    if (auto done = std::exchange(done_, nullptr)) done(std::move(status));
}

void Server::aside(Duration delay, std::function<void()> then) {
    child_running_ = true;
    world_.clock.after(delay, [this, child = child_, then = std::move(then)] {
        if (child != child_) return;
        child_running_ = false;
        then();
    });
}

Status Server::may_fill() const {
    if (disk_.directory == DataDirectory::foreign) {
        world_.witness.violation(kForeign, name() + " would fill a directory that is not its own");
        return fail(ErrorCode::conflict, "the data directory is foreign");
    }
    if (process_ != Process::stopped) return fail(ErrorCode::conflict, "the server is running");
    if (disk_.directory == DataDirectory::valid)
        return fail(ErrorCode::conflict, "the data directory is not empty");
    return {};
}

Status Server::may_lead() const {
    if (!guard_alive_ || !armed_until_ || *armed_until_ <= world_.clock.now())
        return fail(ErrorCode::conflict, "the guard is not armed: nothing may run as a primary");
    return {};
}

Server* Server::reachable(const Upstream& upstream) const {
    Server* server = world_.at(upstream.host);
    if (server == nullptr || server == this || !world_.network.both_ways(member_, server->member_))
        return nullptr;
    return server->process_ == Process::running && !server->ending_ ? server : nullptr;
}

// --- filling a directory
// -----------------------------------------------------------------------------------------------

void Server::bootstrap(Done<void> done) {
    if (!begin("bootstrap", done)) return;
    auto allowed = may_fill();
    if (allowed) allowed = may_lead();
    if (allowed && std::exchange(fail_next_, false)) allowed = fail("initdb failed");
    if (!allowed) return later(milliseconds(5), [this, allowed] { finish(allowed); });
    disk_ = Disk{};
    disk_.directory = DataDirectory::incomplete;
    as_primary_ = true;
    aside(world_.dice.between(milliseconds(300), milliseconds(1200)), [this] {
        disk_.system_id = SystemId{world_.last_system_id += 1 + world_.dice.below(1000)};
        append(0, true, Timeline{1});
        disk_.flushed = 1;
        disk_.checkpoint = {Timeline{1}, disk_.wal.end()};
        world_.witness.new_timeline(*this, Timeline{1});
        if (const auto still = may_lead(); !still) return finish(still);
        come_up(true, seconds(60));
    });
}

void Server::copy_from(const Server& source) {
    disk_.wal = source.disk_.wal;
    disk_.wal.truncate(source.disk_.flushed);
    disk_.flushed = disk_.wal.size();
    disk_.system_id = source.disk_.system_id;
    disk_.newest_known = std::max({disk_.newest_known, source.disk_.newest_known, disk_.wal.timeline()});
    disk_.control = ControlState::in_archive_recovery;
    disk_.checkpoint = source.disk_.checkpoint;
    disk_.min_recovery = {disk_.wal.timeline(), disk_.wal.end()};
    disk_.standby_signal = true;
}

void Server::clone(const Upstream& source, Done<void> done) {
    if (!begin("clone", done)) return;
    auto allowed = may_fill();
    if (allowed && std::exchange(fail_next_, false)) allowed = fail("pg_basebackup failed");
    if (allowed && reachable(source) == nullptr) allowed = fail("cannot connect to " + source.host);
    if (!allowed) return later(milliseconds(20), [this, allowed] { finish(allowed); });
    disk_ = Disk{};
    disk_.directory = DataDirectory::incomplete;
    const auto run = reachable(source)->run_;
    aside(world_.dice.about(milliseconds(700)), [this, source, run] {
        const Server* from = reachable(source);
        if (from == nullptr || from->run_ != run)
            return finish(fail("the connection to " + source.host + " broke"));
        disk_.newest_known = Timeline{1};
        copy_from(*from);
        disk_.slots.clear();
        disk_.directory = DataDirectory::valid;
        disk_.upstream = source;
        finish({});
    });
}

void Server::quarantine(Done<void> done) {
    if (!begin("quarantine", done)) return;
    Status allowed{};
    if (disk_.directory == DataDirectory::foreign) {
        world_.witness.violation(kForeign, name() + " would move a directory that is not its own");
        allowed = fail(ErrorCode::conflict, "the data directory is foreign");
    } else if (process_ != Process::stopped) {
        allowed = fail(ErrorCode::conflict, "the server is running");
    }
    later(milliseconds(5), [this, allowed] {
        if (allowed) disk_ = Disk{};
        finish(allowed);
    });
}

// --- pg_rewind
// ---------------------------------------------------------------------------------------------------------

void Server::rewind(const Upstream& source, Done<void> done) {
    if (!begin("rewind", done)) return;
    Status allowed{};
    if (process_ != Process::stopped || disk_.directory != DataDirectory::valid)
        allowed = fail(ErrorCode::conflict, "no stopped instance here");
    if (allowed && reachable(source) == nullptr) allowed = fail("cannot connect to " + source.host);
    if (!allowed) return later(milliseconds(20), [this, allowed] { finish(allowed); });
    const bool clean =
        disk_.control == ControlState::shut_down || disk_.control == ControlState::shut_down_in_recovery;
    const auto recovery = clean ? milliseconds(0) : std::chrono::duration_cast<milliseconds>(recovery_time());
    aside(recovery + world_.dice.about(milliseconds(300)), [this, source] {
        const auto copied = rewind_to(source);
        if (copied && std::exchange(fail_next_, false)) {
            disk_.directory = DataDirectory::incomplete;
            disk_.half_rewound = true;
            return finish(fail("pg_rewind broke off half-way"));
        }
        finish(copied);
    });
}

// pg_rewind 15: it reads the timelines from both control files, and a source that has not made a checkpoint
// since its promotion still shows its old one. Then there is "no rewind required".
Status Server::rewind_to(const Upstream& source) {
    const Server* from = reachable(source);
    if (from == nullptr) return fail("the connection to " + source.host + " broke");
    if (from->disk_.system_id != disk_.system_id)
        return fail(ErrorCode::invalid, "source and target clusters are from different systems");
    if (disk_.control != ControlState::shut_down_in_recovery)
        disk_.checkpoint.timeline = disk_.wal.timeline();
    disk_.control = disk_.standby_signal ? ControlState::shut_down_in_recovery : ControlState::shut_down;
    disk_.upstream = source;
    disk_.standby_signal = true;
    if (from->disk_.checkpoint.timeline == disk_.checkpoint.timeline) {
        note("no rewind required");
        return {};
    }
    const auto left = from->disk_.wal.left(disk_.wal.timeline());
    if (left && disk_.wal.end() <= *left) {
        note("no rewind required");
        return {};
    }
    const auto newest = disk_.newest_known;
    copy_from(*from);
    disk_.newest_known = std::max(newest, disk_.newest_known);
    return {};
}

// --- coming up
// ---------------------------------------------------------------------------------------------------------

Duration Server::recovery_time() {
    const bool clean =
        disk_.control == ControlState::shut_down || disk_.control == ControlState::shut_down_in_recovery;
    if (clean) return world_.dice.between(milliseconds(60), milliseconds(250));
    return world_.dice.chance(0.03) ? world_.dice.between(seconds(2), seconds(12))
                                    : world_.dice.between(milliseconds(100), milliseconds(1200));
}

void Server::start(const StartSpec& spec, Duration timeout, Done<void> done) {
    if (!begin(spec.standby ? "start as a standby" : "start as a primary", done)) return;
    Status allowed{};
    if (disk_.directory == DataDirectory::foreign)
        world_.witness.violation(kForeign, name() + " would start what is no instance of its own");
    if (process_ != Process::stopped)
        allowed = fail(ErrorCode::conflict, "the server is running");
    else if (disk_.directory != DataDirectory::valid)
        allowed = fail(ErrorCode::conflict, "no instance here");
    else if (!guard_alive_)
        allowed = fail("no guard");
    else if (std::exchange(fail_next_, false))
        allowed = fail("the server did not start");
    else if (!spec.standby)
        allowed = may_lead();
    if (!allowed) return later(milliseconds(20), [this, allowed] { finish(allowed); });
    disk_.standby_signal = spec.standby;
    disk_.upstream = spec.standby ? spec.upstream : Upstream{};
    come_up(!spec.standby, timeout);
}

void Server::come_up(bool as_primary, Duration timeout) {
    process_ = Process::starting;
    as_primary_ = as_primary;
    recovery_ = true;
    crashed_ = false;
    started_ = world_.clock.wall();
    replayed_ = disk_.flushed;
    checkpoint_replayed_ = disk_.checkpoint;
    use_sync_names(configured_sync_names_);
    const auto duration = recovery_time();
    if (as_primary && disk_.control != ControlState::shut_down)
        disk_.control = ControlState::in_crash_recovery;
    if (!as_primary) disk_.control = ControlState::in_archive_recovery;
    later(duration, [this] { once_it_writes([this] { came_up(); }); });
    later(timeout, [this, operation = operation_] {
        if (process_ == Process::starting && busy_ && operation_ == operation)
            finish(fail(ErrorCode::timeout, "the server is still starting"));
    });
    later(seconds(1), [this] { watch_streams(); });
}

void Server::came_up() {
    process_ = Process::running;
    if (as_primary_) {
        // Without the brain nobody finishes a bootstrap.
        if (disk_.directory == DataDirectory::incomplete && busy_) {
            disk_.directory = DataDirectory::valid;
            disk_.unregistered = true;
        }
        disk_.control = ControlState::in_production;
        recovery_ = false;
        write_checkpoint();
        open();
    } else {
        connect_soon(milliseconds(5));
    }
    note(as_primary_ ? "running as a primary" : "running as a standby");
    finish({});
}

void Server::open() {
    sessions_ = true;
    world_.witness.opened(*this);
}

// --- promotion
// ---------------------------------------------------------------------------------------------------------

void Server::promote(Timeline claimed, Done<void> done) {
    if (!begin("promote", done)) return;
    Status allowed = may_lead();
    if (allowed && !standby()) allowed = fail(ErrorCode::conflict, "no running standby here");
    if (!allowed) return later(milliseconds(5), [this, allowed] { finish(allowed); });
    world_.witness.promoting(*this);
    as_primary_ = true;
    ++connecting_;
    disk_.flushed = disk_.wal.size();  // the receiver flushes when it ends
    close_receiver();
    ++connecting_;
    later(world_.dice.about(milliseconds(40)),
          [this, claimed] { once_it_writes([this, claimed] { open_new_timeline(claimed); }); });
}

void Server::open_new_timeline(Timeline claimed) {
    replayed_ = disk_.flushed = disk_.wal.size();
    // History files stand in for the numbers that are passed over.
    const Timeline next =
        std::max(claimed, Timeline{std::max(disk_.newest_known, disk_.wal.timeline()).value + 1});
    disk_.newest_known = next;
    disk_.standby_signal = false;
    disk_.upstream = Upstream{};
    disk_.control = ControlState::in_production;
    recovery_ = false;
    ++promotions_;
    append(0, false, next);  // end of recovery
    world_.trace.note(member_, "promoted", next.value, [&] {
        return fmt::format("to timeline {} at {}", next.value, to_string(disk_.wal.end()));
    });
    world_.witness.new_timeline(*this, next);
    flush();
    open();
    // The checkpoint that follows is a slow one, unless somebody asks for it.
    later(world_.dice.between(seconds(3), seconds(30)), [this, next] {
        once_it_writes([this, next] {
            if (disk_.checkpoint.timeline < next) write_checkpoint();
        });
    });
    finish({});
}

// --- going down
// --------------------------------------------------------------------------------------------------------

void Server::stop(StopMode mode, bool checkpoint, Instant deadline, Then safepoint, Done<void> done) {
    if (!begin(mode == StopMode::immediate ? "stop immediate" : "stop", done)) return;
    safepoint_ = std::move(safepoint);
    shut_down(mode, checkpoint, deadline);
}

void Server::shut_down(StopMode mode, bool checkpoint, Instant deadline) {
    if (process_ == Process::stopped) {
        return later(milliseconds(1), [this] {
            reach_safepoint();
            finish({});
        });
    }
    if (ending_) return;  // gone() finishes the operation
    if (mode == StopMode::immediate || process_ == Process::starting)
        return end_all(world_.dice.between(milliseconds(2), milliseconds(40)), true, std::nullopt);
    later(std::max(deadline - world_.clock.now(), Duration{}), [this] {
        if (process_ == Process::stopping && !ending_) end_all(milliseconds(20), true, std::nullopt);
    });
    if (recovery_ && !as_primary_) {
        process_ = Process::stopping;
        return later(world_.dice.about(milliseconds(40)), [this] {
            reach_safepoint();
            disk_.control = ControlState::shut_down_in_recovery;
            disk_.checkpoint = checkpoint_replayed_;
            disk_.min_recovery = {disk_.wal.timeline_at(replayed_), disk_.wal.end_at(replayed_)};
            gone(true);
        });
    }
    if (recovery_)
        return end_all(world_.dice.between(milliseconds(2), milliseconds(40)), true,
                       std::nullopt);  // half promoted
    const auto first = checkpoint ? world_.dice.about(milliseconds(100)) : Duration{};
    later(first, [this, checkpoint] {
        once_it_writes([this, checkpoint] {
            if (process_ != Process::running) return;
            if (checkpoint) write_checkpoint();
            process_ = Process::stopping;
            shut_down_primary();
        });
    });
}

void Server::shut_down_primary() {
    later(world_.dice.between(milliseconds(3), milliseconds(30)), [this] {
        close_sessions();
        reach_safepoint();
        later(world_.dice.about(milliseconds(15)), [this] {
            disk_.control = ControlState::shutting_down;
            waiting_for_senders_ = true;
            write_checkpoint();
        });
    });
}

// The last step of a clean stop: every standby that is still connected has confirmed the shutdown checkpoint.
void Server::senders_done() {
    if (!waiting_for_senders_ || disk_.flushed != disk_.wal.size()) return;
    for (const auto& stream : sending_)
        if (stream->confirmed < disk_.flushed) return;
    waiting_for_senders_ = false;
    disk_.control = ControlState::shut_down;
    later(milliseconds(2), [this] { gone(true); });
}

void Server::reach_safepoint() {
    if (auto safepoint = std::exchange(safepoint_, nullptr)) safepoint();
}

// Every process gets SIGKILL (or SIGQUIT); the last one is gone `within`.
void Server::end_all(Duration within, bool told, std::optional<PostgresEvent> event) {
    if (process_ == Process::stopped || ending_) return;
    ending_ = true;
    process_ = Process::stopping;
    later(within, [this, told, event] {
        close_sessions();
        close_all_streams();
        wait_for_the_disk_.clear();
        once_it_writes([this, told, event] {
            gone(told);
            if (event && events_ && guard_alive_) events_(*event);
        });
    });
}

void Server::gone(bool told) {
    ++run_;
    wait_for_the_disk_.clear();
    const bool starting_over = told && restart_as_primary_.has_value() && busy_;
    process_ = Process::stopped;
    ending_ = flush_planned_ = replay_planned_ = receive_flush_planned_ = waiting_for_senders_ = false;
    crashed_ = !told;
    disk_.wal.truncate(disk_.flushed);
    close_sessions();
    close_all_streams();
    as_primary_ = false;
    recovery_ = true;
    note("gone", told ? 1 : 0);
    reach_safepoint();
    if (starting_over) {
        const bool as_primary = *std::exchange(restart_as_primary_, std::nullopt);
        if (const auto allowed = as_primary ? may_lead() : Status{}; !allowed) return finish(allowed);
        return come_up(as_primary, seconds(60));
    }
    restart_as_primary_.reset();
    if (!busy_ || child_running_) return;
    if (operation_.starts_with("stop"))
        finish({});
    else
        finish(fail("the server ended"));
}

// --- while it runs
// -----------------------------------------------------------------------------------------------------

void Server::follow(const Upstream& upstream, Done<void> done) {
    if (!begin("follow", done)) return;
    if (as_primary_)
        return later(milliseconds(2), [this] { finish(fail(ErrorCode::conflict, "this is a primary")); });
    later(world_.dice.about(milliseconds(20)), [this, upstream] {
        if (as_primary_) return finish(fail(ErrorCode::conflict, "this is a primary"));
        disk_.upstream = upstream;
        disk_.standby_signal = true;
        ++connecting_;
        close_receiver();
        connect_soon(milliseconds(5));
        finish({});
    });
}

void Server::restart(Duration, Done<void> done) {
    if (!begin("restart", done)) return;
    if (process_ == Process::stopped) return start_as_it_was();
    restart_as_primary_ = as_primary_;
    shut_down(StopMode::fast, false, world_.clock.now() + seconds(60));
}

void Server::start_as_it_was() {
    const bool as_primary = !disk_.standby_signal;
    Status allowed;
    if (disk_.directory != DataDirectory::valid)
        allowed = fail(ErrorCode::conflict, "no instance here");
    else if (as_primary)
        allowed = may_lead();
    if (!allowed) return later(milliseconds(2), [this, allowed] { finish(allowed); });
    come_up(as_primary, seconds(60));
}

void Server::reload(Done<void> done) {
    if (!begin("reload", done)) return;
    later(world_.dice.about(milliseconds(10)), [this] {
        if (process_ == Process::running) use_sync_names(configured_sync_names_);
        finish({});
    });
}

void Server::checkpoint(Done<void> done) {
    if (!begin("checkpoint", done)) return;
    later(world_.dice.about(milliseconds(120)) + world_.slow_checkpoint, [this] {
        if (process_ != Process::running) return finish(fail("the server is not running"));
        once_it_writes([this] {
            if (!recovery_) write_checkpoint();
            finish({});
        });
    });
}

void Server::set_sync_names(std::string names, Done<Lsn> done) {
    world_.trace.note(member_, "set sync names", 0, [&] { return "'" + names + "'"; });
    configured_sync_names_ = names;
    world_.clock.after(world_.dice.about(milliseconds(8)),
                       [this, names = std::move(names), run = run_, done = std::move(done)]() mutable {
                           if (run != run_ || process_ != Process::running)
                               return done(fail("the server is not running"));
                           use_sync_names(names);
                           done(disk_.wal.end());
                       });
}

void Server::sync_slots(std::set<std::string> wanted, Done<void> done) {
    world_.clock.after(world_.dice.about(milliseconds(3)),
                       [this, wanted = std::move(wanted), run = run_, done = std::move(done)]() mutable {
                           if (run != run_ || process_ != Process::running)
                               return done(fail("the server is not running"));
                           for (const auto& stream : sending_)
                               if (disk_.slots.contains(stream->slot))
                                   wanted.insert(stream->slot);  // one in use cannot be dropped
                           disk_.slots = std::move(wanted);
                           done({});
                       });
}

// --- the guard
// ---------------------------------------------------------------------------------------------------------

void Server::arm(Instant deadline, Done<void> done) {
    world_.clock.after(world_.dice.about(microseconds(150)), [this, deadline,
                                                              done = std::move(done)]() mutable {
        if (!guard_alive_) return;
        // What ends at once needs no watchdog.
        if (guard_refuses_ && deadline > world_.clock.now()) return done(fail("the watchdog cannot be used"));
        world_.trace.note(member_, "armed", static_cast<std::uint64_t>(deadline.time_since_epoch().count()),
                          [&] { return "for " + to_text(deadline - world_.clock.now()); });
        armed_until_ = deadline;
        const bool asked = deadline <= world_.clock.now();
        guard_timer_.reset();
        if (deadline != Instant::max())
            guard_timer_ = world_.clock.call_at(deadline, [this, asked] { fence(asked); });
        done({});
    });
}

void Server::disarm(Done<void> done) {
    world_.clock.after(world_.dice.about(microseconds(150)), [this, done = std::move(done)]() mutable {
        if (!guard_alive_) return;
        note("disarmed");
        armed_until_.reset();
        guard_timer_.reset();
        // What runs as a primary may run on, and be restarted (pause).
        if (as_primary_ && process_ != Process::stopped) armed_until_ = Instant::max();
        done({});
    });
}

// `asked`: by the brain, which wants the primary to end at once.
void Server::fence(bool asked) {
    if (!as_primary_ || process_ == Process::stopped) return;
    if (!asked && !world_.guard_fences) return;
    if (!asked) world_.witness.fenced(*this);
    note("fenced by the guard");
    end_all(world_.dice.between(milliseconds(0), milliseconds(5)), true, PostgresEvent::guard_fenced);
}

}  // namespace pgherd::sim
