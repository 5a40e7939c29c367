// What is known of the local PostgreSQL instance. Absent values mean "could not be learned", never a default.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/lsn.h"
#include "base/strong.h"
#include "base/time.h"
#include "model/cluster.h"
#include "model/member.h"

namespace pgherd {

enum class DataDirectory {
    absent,      // does not exist, or is empty: may be filled
    valid,       // holds an instance: PG_VERSION and a readable pg_control
    incomplete,  // an initdb or a clone of ours was interrupted (its journal file is there): may be cleared
    foreign,     // not empty, and not an instance: never touched
    // Could not be looked at: no descriptors or memory left, permissions, I/O errors. Says nothing of what it
    // is, so that it is never touched, and what runs in it is left alone.
    unreadable,
};

// pg_controldata's "Database cluster state".
enum class ControlState {
    starting_up,
    shut_down,
    shut_down_in_recovery,
    shutting_down,
    in_crash_recovery,
    in_archive_recovery,
    in_production
};

struct ControlData {
    SystemId system_id;
    ControlState state = ControlState::shut_down;
    Timeline timeline;     // of the latest checkpoint
    Lsn checkpoint;        // location of the latest checkpoint record
    Lsn min_recovery_end;  // 0/0 when none
    Timeline min_recovery_timeline;
    bool checksums = false;
    bool wal_log_hints = false;
    std::map<std::string, std::string> limits;  // max_connections, … that a standby must not go below
    bool clean_shutdown() const {
        return state == ControlState::shut_down || state == ControlState::shut_down_in_recovery;
    }
};

enum class Postmaster {
    stopped,
    starting,  // process exists, refuses connections
    running,   // accepts connections
    stopping,
};

struct ReplicationRow {  // pg_stat_replication
    std::string usename;
    std::string application_name;
    std::string client_addr;
    std::string state;       // "streaming", "catchup", …
    std::string sync_state;  // "async", "sync", "quorum", "potential"
    int sync_priority = 0;
    Lsn write_lsn;
    Lsn flush_lsn;
    Lsn replay_lsn;
};

struct ReceiverState {  // pg_stat_wal_receiver
    bool streaming = false;
    std::string sender_host;
    std::uint16_t sender_port = 0;
    Timeline timeline;
    Lsn latest_end;  // the sender's position, as last heard
};

struct SlotState {
    std::string name;
    bool logical = false;
    std::string database;
    std::string plugin;
    bool active = false;
    bool failover = false;  // PostgreSQL 17's own synchronised slots
    std::optional<Lsn> restart_lsn;
    std::optional<Lsn> confirmed_flush_lsn;
    bool lost = false;  // wal_status = 'lost'
};

struct PostgresState {
    DataDirectory data = DataDirectory::absent;
    std::optional<ControlData> control;  // of a stopped instance, or when last read
    Postmaster postmaster = Postmaster::stopped;
    // A bootstrap of ours made it, and nobody has said yet that the store knows its cluster.
    bool unregistered = false;
    bool half_rewound = false;  // `incomplete` by a rewind: it held an instance before
    bool crashed = false;       // it ended without being told to
    bool ours = false;          // the guard is its parent (false for an adopted one)
    // From here on: answers of the running server; absent when it does not answer.
    std::optional<bool> in_recovery;
    Timeline timeline;
    Lsn position;                // primary: flushed; standby: max(received, replayed)
    bool flush_awaited = false;  // primary: a session waits until its WAL is on disk
    Lsn received;
    Lsn replayed;
    std::optional<WallTime> replayed_timestamp;
    bool replay_paused = false;
    bool in_archive_recovery = false;
    std::optional<ReceiverState> receiver;
    std::vector<ReplicationRow> replication;
    std::vector<SlotState> slots;
    std::string synchronous_standby_names;
    int server_version = 0;  // 150020
    std::optional<SystemId> system_id;
    std::optional<WallTime> postmaster_start_time;
    std::map<std::string, PendingRestartReason> pending_restart;
    bool standby_configured = false;  // standby.signal present
    std::string primary_conninfo;     // as configured, without the password
    std::vector<HistoryLine>
        timeline_history;      // of the current timeline, oldest first (pg_wal/<tli>.history)
    Timeline newest_timeline;  // the highest of which a history file is here, ours or not; 0 = none
    Instant observed;          // when the answers were asked for

    bool running() const { return postmaster == Postmaster::running; }
    bool primary() const { return running() && in_recovery == false; }
    bool standby() const { return running() && in_recovery == true; }
    bool streaming() const { return receiver && receiver->streaming; }
};

}  // namespace pgherd
