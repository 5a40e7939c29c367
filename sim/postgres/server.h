// A model of one PostgreSQL instance with its guard: what is on its disk, what its processes do, whom it
// streams to and from.
//
// It follows PostgreSQL 15 where high availability depends on it: timelines and where they fork, a standby
// streams only from a history that its own WAL is a part of (judged by timelines and LSNs, as PostgreSQL
// judges), FIRST and ANY in synchronous_standby_names, a clean stop waits for the walsenders, a promoted
// server tells pg_rewind its old timeline until its first checkpoint, and backends outlive a killed
// postmaster for a moment. No SQL, no pages, no archive; WAL is kept forever. It lives as long as the
// machine; brains come and go (see port.h).
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/postgres_state.h"
#include "ports/postgres.h"
#include "sim/clock.h"
#include "sim/dice.h"
#include "sim/network.h"
#include "sim/postgres/sync_names.h"
#include "sim/postgres/wal.h"
#include "sim/trace.h"

namespace pgherd::sim {

class Server;

// Hears what matters for the invariants (judge.h).
class Witness {
  public:
    virtual ~Witness() = default;
    virtual void opened(Server& server) = 0;  // it takes writes from now on
    virtual void acknowledged(Server& server, std::size_t place, int client, bool waited) = 0;
    virtual void lost_connection(Server& server,
                                 int client) = 0;  // a commit whose outcome the client does not learn
    virtual void new_timeline(Server& server, Timeline timeline) = 0;
    virtual void promoting(Server& server) = 0;
    virtual void fenced(Server&) {}  // the guard's deadline has passed, and a primary runs
    virtual void violation(std::string_view invariant, std::string what) = 0;
};

// What all instances share.
struct World {
    VirtualClock& clock;
    Network& network;
    Trace& trace;
    Witness& witness;
    Dice dice;
    std::vector<Server*> servers = {};  // by member
    std::uint64_t last_record_id = 0;
    std::uint64_t last_system_id = 7000000000000000000U;
    // How long a broken connection goes unnoticed, on both ends.
    Duration stream_timeout = std::chrono::seconds(6);
    // What a scenario makes slow.
    Duration pre_promote = std::chrono::microseconds(100);
    Duration slow_checkpoint{};  // one that is asked for takes this much longer
    bool guard_fences = true;    // false: a guard that forgets its deadlines

    Server* at(std::string_view host) const;  // "10.0.0.<member + 1>"
};
std::string host_of(int member);

struct Disk {
    DataDirectory directory = DataDirectory::absent;
    SystemId system_id;
    Wal wal;  // records beyond `flushed` are lost in a crash
    std::size_t flushed = 0;
    Timeline newest_known{1};  // of the history files in pg_wal
    ControlState control = ControlState::shut_down;
    WalPosition checkpoint;  // the latest one, or restartpoint
    WalPosition min_recovery;
    bool standby_signal = false;
    bool unregistered = false;  // the mark of a bootstrap
    bool half_rewound = false;
    bool misplaced = false;  // somebody has put the disk of another cluster here
    Upstream upstream;
    std::set<std::string> slots;
};

// One connection of a standby to the server that it streams from. Each end closes for itself.
struct Stream {
    Server* sender = nullptr;
    Server* receiver = nullptr;
    std::string slot;
    bool sender_open = true;
    bool receiver_open = true;
    bool caught_up = false;  // only then it counts as synchronous
    bool data_under_way = false;
    bool answer_under_way = false;
    std::size_t sent = 0;       // records
    std::size_t confirmed = 0;  // records that the standby has on disk, as the sender knows
    Instant sender_heard;
    Instant receiver_heard;
};
using StreamPtr = std::shared_ptr<Stream>;

class Server {
  public:
    enum class Process { stopped, starting, running, stopping };

    Server(World& world, int member);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // --- what is so
    int member() const { return member_; }
    std::string name() const { return "m" + std::to_string(member_ + 1); }
    const Disk& disk() const { return disk_; }
    Process process() const { return process_; }
    bool primary() const { return process_ == Process::running && !recovery_; }
    bool standby() const { return process_ == Process::running && recovery_; }
    bool writable() const { return sessions_; }  // a client can still get a commit through
    bool streaming() const { return receiving_ && receiving_->receiver_open; }
    bool guard_alive() const { return guard_alive_; }
    std::optional<Instant> armed_until() const { return armed_until_; }
    std::size_t replayed() const { return replayed_; }
    std::uint64_t promotions() const { return promotions_; }
    PostgresState observe(bool guard_only) const;
    const std::vector<StreamPtr>& senders() const { return sending_; }
    std::string describe() const;

    // --- clients
    // The answer comes through the witness. False: not taken.
    bool commit(int client, std::uint64_t value);

    // --- the port's operations, without the brain (port.h). One at a time; a second one is a violation.
    void configure(std::string sync_names) { configured_sync_names_ = std::move(sync_names); }
    void bootstrap(Done<void> done);
    void clone(const Upstream& source, Done<void> done);
    void start(const StartSpec& spec, Duration timeout, Done<void> done);
    void stop(StopMode mode, bool checkpoint, Instant deadline, Then safepoint, Done<void> done);
    void promote(Timeline claimed, Done<void> done);
    void follow(const Upstream& upstream, Done<void> done);
    void rewind(const Upstream& source, Done<void> done);
    void quarantine(Done<void> done);
    void registered() { disk_.unregistered = false; }
    void restart(Duration timeout, Done<void> done);
    void reload(Done<void> done);
    void checkpoint(Done<void> done);
    void set_sync_names(std::string names, Done<Lsn> done);
    void sync_slots(std::set<std::string> wanted, Done<void> done);
    void arm(Instant deadline, Done<void> done);
    void disarm(Done<void> done);
    void on_event(Postgres::Events events) { events_ = std::move(events); }
    UpstreamHistory history() const;

    // --- what befalls it
    void kill_postmaster();  // SIGKILL; the guard ends the backends a moment later
    void brain_died();       // operations that are its children end with it
    void guard_died();       // everything here dies
    void guard_started() { guard_alive_ = true; }
    void power_off();  // also loses what was not flushed
    void lose_disk();
    void put_foreign_directory();
    void put_disk_of_another_system();
    bool needs_an_operator() const;  // who has put the wrong disk here
    void repair_disk();
    void refuse_deadlines(bool refuses) { guard_refuses_ = refuses; }
    void blind(bool yes) { blind_ = yes; }
    void fail_next_operation() { fail_next_ = true; }
    // Its disk takes nothing: no commit ends. `mute`: no question is answered either. `stuck`: questions are
    // answered, and processes that are killed are not gone before the disk goes on.
    enum class Hang { no, mute, stuck };
    void hang(Hang how);
    // Its disk does not let it stop in time, or did not a moment ago.
    bool stuck() const { return hang_ == Hang::stuck || world_.clock.now() < stuck_until_; }
    void network_changed();

  private:
    using Run = std::uint64_t;
    struct Waiter {
        std::size_t place;
        int client;
    };

    template <class F>
    void later(Duration delay, F then);  // not if the processes have ended by then
    void once_it_writes(Then then);      // at once, or when a stuck disk goes on
    void note(std::string_view what, std::uint64_t number = 0) { world_.trace.note(member_, what, number); }

    // operations (operations.cc)
    bool begin(std::string_view operation, Done<void>& done);
    void finish(Status status);
    void aside(Duration delay, std::function<void()> then);  // a child of the brain does it
    Status may_fill() const;
    Status may_lead() const;
    void start_as_it_was();
    void come_up(bool as_primary, Duration timeout);
    void came_up();
    void open();
    void open_new_timeline(Timeline claimed);
    void shut_down(StopMode mode, bool checkpoint, Instant deadline);
    void shut_down_primary();
    void senders_done();
    void reach_safepoint();
    void gone(bool told);  // every process has ended
    void end_all(Duration within, bool told, std::optional<PostgresEvent> event);
    void close_sessions();
    void copy_from(const Server& source);
    Status rewind_to(const Upstream& source);
    Server* reachable(const Upstream& upstream) const;
    Duration recovery_time();
    void fence(bool asked);
    void use_sync_names(const std::string& names);

    // writing (server.cc)
    void append(std::uint64_t value, bool checkpoint, Timeline timeline);
    void flush_soon();
    void flush();
    void write_checkpoint();
    void release_waiters();
    std::size_t sync_place() const;

    // replication (replication.cc)
    void connect_soon(Duration delay);
    void connect();
    const char* refusal(const Server& standby, const std::string& slot) const;
    void accept(const StreamPtr& stream);
    void send(const StreamPtr& stream);
    void send_all();
    void receive(const StreamPtr& stream, std::size_t upto);
    void replay_soon();
    void answer();
    void confirmed(const StreamPtr& stream, std::size_t place);
    void close_receiver();
    void close_sender(const StreamPtr& stream);
    void close_all_streams();
    void watch_streams();

    World& world_;
    int member_;
    Disk disk_;
    Process process_ = Process::stopped;
    Run run_ = 0;  // grows whenever the processes end
    bool recovery_ = true;
    bool sessions_ = false;
    bool as_primary_ = false;  // it is a primary, or is on the way to become one
    bool crashed_ = false;
    bool ending_ = false;  // end_all is under way
    bool flush_planned_ = false;
    std::size_t replayed_ = 0;
    bool replay_planned_ = false;
    bool receive_flush_planned_ = false;
    SyncNames sync_names_;  // in force
    std::string sync_names_in_force_;
    std::string configured_sync_names_;
    std::deque<Waiter> waiters_;
    StreamPtr receiving_;
    std::vector<StreamPtr> sending_;
    std::uint64_t connecting_ = 0;
    WalPosition checkpoint_replayed_;  // the next restartpoint

    bool guard_alive_ = true;
    bool guard_refuses_ = false;  // its watchdog is missing
    Hang hang_ = Hang::no;
    Instant stuck_until_;
    std::vector<Then> wait_for_the_disk_;
    bool blind_ = false;  // the agent cannot look at the data directory
    std::optional<Instant> armed_until_;
    Timer guard_timer_;
    Postgres::Events events_;

    bool busy_ = false;
    Done<void> done_;
    Then safepoint_;
    std::string_view operation_;
    Run child_ = 0;  // grows whenever the brain's children are ended
    bool child_running_ = false;
    bool fail_next_ = false;
    std::optional<bool> restart_as_primary_;
    bool waiting_for_senders_ = false;
    WallTime started_;
    std::uint64_t promotions_ = 0;
};

}  // namespace pgherd::sim
