#include "sim/postgres/server.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "sim/postgres/server_detail.h"

namespace pgherd::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::string host_of(int member) {
    return fmt::format("10.0.0.{}", member + 1);
}

Server* World::at(std::string_view host) const {
    constexpr std::string_view kPrefix = "10.0.0.";
    if (!host.starts_with(kPrefix)) return nullptr;
    const auto number = parse_uint(host.substr(kPrefix.size()));
    return number && *number >= 1 && *number <= servers.size() ? servers[*number - 1] : nullptr;
}

Server::Server(World& world, int member) : world_(world), member_(member) {}

bool Server::commit(int client, std::uint64_t value) {
    if (!sessions_) return false;
    append(value, false, disk_.wal.timeline());
    waiters_.push_back({disk_.wal.size() - 1, client});
    flush_soon();
    return true;
}

void Server::append(std::uint64_t value, bool checkpoint, Timeline timeline) {
    const Lsn end{disk_.wal.end().value + 64 + 8 * world_.dice.below(32)};
    disk_.wal.append({++world_.last_record_id, end, timeline, value, checkpoint});
}

void Server::flush_soon() {
    if (flush_planned_) return;
    flush_planned_ = true;
    later(world_.dice.about(microseconds(600)), [this] { flush(); });
}

void Server::hang(Hang how) {
    if (hang_ == how) return;
    if (hang_ == Hang::stuck) stuck_until_ = world_.clock.now() + std::chrono::seconds(2);
    hang_ = how;
    note(how == Hang::no ? "the disk goes on" : "the disk hangs");
    if (how != Hang::no) return;
    for (auto& then : std::exchange(wait_for_the_disk_, {})) later(Duration{}, std::move(then));
    if (process_ == Process::running && !recovery_) flush_soon();
}

void Server::once_it_writes(Then then) {
    if (hang_ == Hang::stuck)
        wait_for_the_disk_.push_back(std::move(then));
    else
        then();
}

void Server::flush() {
    flush_planned_ = false;
    if (hang_ != Hang::no) return;
    disk_.flushed = disk_.wal.size();
    if (!recovery_) replayed_ = disk_.flushed;
    send_all();
    release_waiters();
    senders_done();
}

// A checkpoint record, and pg_control pointing at it.
void Server::write_checkpoint() {
    const Lsn start = disk_.wal.end();
    append(0, true, disk_.wal.timeline());
    flush();
    disk_.checkpoint = {disk_.wal.timeline(), start};
}

// How many records enough synchronous standbys have on disk (SyncRepGetSyncRecPtr).
std::size_t Server::sync_place() const {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < sync_names_.names.size(); ++i) {
        for (const auto& stream : sending_)
            if (stream->caught_up && sync_names_.matches(i, stream->receiver->name()))
                places.push_back(stream->confirmed);
        if (!sync_names_.any && places.size() >= sync_names_.count) break;
    }
    if (places.size() < sync_names_.count) return 0;
    if (!sync_names_.any) {
        places.resize(sync_names_.count);
        return *std::ranges::min_element(places);
    }
    std::ranges::sort(places, std::greater{});
    return places[sync_names_.count - 1];
}

void Server::release_waiters() {
    if (waiters_.empty() || recovery_) return;
    const bool waited = !sync_names_.off();
    const std::size_t upto = waited ? std::min(sync_place(), disk_.flushed) : disk_.flushed;
    while (!waiters_.empty() && waiters_.front().place < upto) {
        const Waiter waiter = waiters_.front();
        waiters_.pop_front();
        world_.witness.acknowledged(*this, waiter.place, waiter.client, waited);
    }
}

void Server::close_sessions() {
    sessions_ = false;
    while (!waiters_.empty()) {
        const Waiter waiter = waiters_.front();
        waiters_.pop_front();
        world_.witness.lost_connection(*this, waiter.client);
    }
}

void Server::use_sync_names(const std::string& names) {
    sync_names_in_force_ = names;
    sync_names_ = read_sync_names(names);
    release_waiters();
}

// --- what befalls it
// ---------------------------------------------------------------------------------------------------

void Server::kill_postmaster() {
    if (process_ == Process::stopped || ending_) return;
    note("postmaster killed");
    end_all(world_.dice.between(milliseconds(1), milliseconds(30)), false, PostgresEvent::postmaster_died);
}

void Server::brain_died() {
    events_ = nullptr;
    busy_ = false;
    done_ = nullptr;
    safepoint_ = nullptr;
    restart_as_primary_.reset();
    ++child_;
    child_running_ = false;
}

void Server::guard_died() {
    guard_alive_ = false;
    guard_timer_.reset();
    armed_until_.reset();
    end_all(world_.dice.between(milliseconds(1), milliseconds(20)), false, std::nullopt);
}

void Server::power_off() {
    guard_alive_ = false;
    guard_timer_.reset();
    armed_until_.reset();
    brain_died();
    if (process_ != Process::stopped) gone(false);
    crashed_ = false;
}

void Server::lose_disk() {
    PGHERD_ASSERT(process_ == Process::stopped);
    note("disk lost");
    const auto directory = disk_.directory;
    if (directory != DataDirectory::foreign) disk_ = Disk{};
}

void Server::put_foreign_directory() {
    PGHERD_ASSERT(process_ == Process::stopped);
    disk_.directory = DataDirectory::foreign;
}

// A standby of a cluster that has lived longer than this one.
void Server::put_disk_of_another_system() {
    PGHERD_ASSERT(process_ == Process::stopped);
    note("the disk of another cluster");
    disk_ = Disk{};
    disk_.directory = DataDirectory::valid;
    disk_.misplaced = true;
    disk_.system_id = SystemId{world_.last_system_id += 1 + world_.dice.below(1000)};
    const Timeline timeline{900};
    disk_.wal.append({++world_.last_record_id, Lsn{0x10000000}, timeline, 0, true});
    disk_.flushed = disk_.wal.size();
    disk_.newest_known = timeline;
    disk_.control = ControlState::shut_down_in_recovery;
    disk_.checkpoint = disk_.min_recovery = {timeline, disk_.wal.end()};
    disk_.standby_signal = true;
}

bool Server::needs_an_operator() const {
    return disk_.misplaced || disk_.directory == DataDirectory::foreign;
}

void Server::repair_disk() {
    PGHERD_ASSERT(process_ == Process::stopped);
    note("an operator has removed the wrong disk");
    disk_ = Disk{};
}

void Server::network_changed() {
    send_all();
    answer();
}

// --- what can be seen
// --------------------------------------------------------------------------------------------------

UpstreamHistory Server::history() const {
    UpstreamHistory out;
    out.system_id = disk_.system_id;
    out.timeline = disk_.wal.timeline_at(disk_.flushed);
    out.position = disk_.wal.end_at(recovery_ ? replayed_ : disk_.flushed);
    out.in_recovery = recovery_;
    for (const auto& point : disk_.wal.switchpoints())
        if (point.second < disk_.wal.end_at(disk_.flushed)) out.switchpoints.push_back(point);
    return out;
}

std::string Server::describe() const {
    constexpr std::array kNames{"stopped", "starting", "running", "stopping"};
    return fmt::format("{} {}, timeline {} at {}{}{}{}", kNames[static_cast<std::size_t>(process_)],
                       recovery_ ? "standby" : "primary", disk_.wal.timeline().value,
                       to_string(disk_.wal.end_at(disk_.flushed)),
                       streaming() ? " streaming from " + receiving_->sender->name() : std::string{},
                       disk_.upstream.none() ? "" : " upstream " + disk_.upstream.host,
                       sync_names_.off() ? std::string{} : " sync " + sync_names_in_force_);
}

PostgresState Server::observe(bool guard_only) const {
    PostgresState out;
    out.data = disk_.directory;
    if (disk_.directory == DataDirectory::valid) {
        ControlData control;
        control.system_id = disk_.system_id;
        control.state = disk_.control;
        control.timeline = disk_.checkpoint.timeline;
        control.checkpoint = disk_.checkpoint.lsn;
        control.min_recovery_end = disk_.min_recovery.lsn;
        control.min_recovery_timeline = disk_.min_recovery.timeline;
        control.checksums = true;
        out.control = control;
    }
    constexpr std::array kProcess{Postmaster::stopped, Postmaster::starting, Postmaster::running,
                                  Postmaster::stopping};
    out.postmaster = kProcess[static_cast<std::size_t>(process_)];
    out.crashed = crashed_;
    out.ours = process_ != Process::stopped;
    out.standby_configured = disk_.standby_signal;
    out.unregistered = disk_.unregistered;
    out.half_rewound = disk_.half_rewound;
    if (blind_) {
        out.data = DataDirectory::unreadable;
        out.control.reset();
        out.standby_configured = out.unregistered = out.half_rewound = false;
    }
    if (!disk_.upstream.none())
        out.primary_conninfo = fmt::format("user=replicator host={} port={} application_name={}",
                                           disk_.upstream.host, disk_.upstream.port, name());
    out.observed = world_.clock.now();
    if (guard_only || hang_ == Hang::mute || process_ != Process::running) return out;

    out.in_recovery = recovery_;
    out.newest_timeline = disk_.newest_known;
    const auto& wal = disk_.wal;
    out.timeline = wal.timeline_at(recovery_ ? std::max(replayed_, disk_.flushed) : disk_.flushed);
    out.received = recovery_ ? wal.end_at(disk_.flushed) : Lsn{};
    out.replayed = recovery_ ? wal.end_at(replayed_) : Lsn{};
    out.position = wal.end_at(disk_.flushed);
    out.flush_awaited = !recovery_ && hang_ == Hang::stuck && disk_.flushed < wal.size();
    if (recovery_ && streaming()) {
        ReceiverState receiver;
        receiver.streaming = true;
        receiver.sender_host = host_of(receiving_->sender->member());
        receiver.sender_port = 5432;
        receiver.timeline = out.timeline;
        receiver.latest_end = wal.end_at(disk_.flushed);
        out.receiver = receiver;
    }
    for (const auto& stream : sending_) {
        ReplicationRow row;
        row.usename = "replicator";
        row.application_name = stream->receiver->name();
        row.client_addr = host_of(stream->receiver->member());
        row.state = stream->caught_up ? "streaming" : "catchup";
        row.sync_state = "async";
        for (std::size_t i = 0; i < sync_names_.names.size(); ++i)
            if (sync_names_.matches(i, row.application_name)) {
                row.sync_priority = sync_names_.any ? 1 : static_cast<int>(i) + 1;
                row.sync_state = sync_names_.any ? "quorum" : (i < sync_names_.count ? "sync" : "potential");
                break;
            }
        row.flush_lsn = row.write_lsn = row.replay_lsn = wal.end_at(stream->confirmed);
        out.replication.push_back(std::move(row));
    }
    for (const auto& slot : disk_.slots) {
        SlotState state;
        state.name = slot;
        state.active =
            std::ranges::any_of(sending_, [&](const auto& stream) { return stream->slot == slot; });
        state.restart_lsn = wal.end_at(disk_.flushed);
        out.slots.push_back(std::move(state));
    }
    out.synchronous_standby_names = sync_names_in_force_;
    out.server_version = 150000;
    out.system_id = disk_.system_id;
    out.postmaster_start_time = started_;
    for (const auto& [timeline, lsn] : wal.switchpoints())
        out.timeline_history.push_back({timeline, lsn, "no recovery target specified", "", {}});
    return out;
}

}  // namespace pgherd::sim
