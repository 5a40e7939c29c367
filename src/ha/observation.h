// Everything that a decision may depend on, as values.
//
// The shell fills it in from what it has heard so far. Nothing in here is fetched for a decision: what is not
// known is absent, and a rule asks for it with an action (AskPeers, AskUpstream, …) and is evaluated again
// when the answer is there.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lsn.h"
#include "base/strong.h"
#include "base/time.h"
#include "model/cluster.h"
#include "model/postgres_state.h"

namespace pgherd::ha {

// The operations of PostgreSQL that take time. One at a time.
enum class Operation {
    bootstrap,
    clone,
    start,
    stop,
    promote,
    follow,
    rewind,
    quarantine,
    restart,
    reload,
    checkpoint
};
std::string_view to_string(Operation operation);

struct RunningOperation {
    Operation operation;
    Instant since;
    std::string_view rule;    // that began it
    bool as_primary = false;  // start: as a primary
};

struct FinishedOperation {
    Operation operation;
    std::string_view rule;
    bool ok = true;
    std::string error;
    Instant at;
    bool may_retry = false;  // not ok: it has changed nothing here, and the same may succeed later
};

// What a member answered when it was last asked.
struct PeerAnswer {
    bool reachable = false;
    bool in_recovery = true;
    WalPosition position;
    bool nofailover = false;
    int priority = 1;
    bool watchdog_failed = false;
    bool failsafe_bound = false;   // it has confirmed a leader that may go on without the store …
    bool failsafe_unsure = false;  // … or may have, before its agent was started
};

// A member's word that it follows this leader, which has lost the store.
struct Confirmation {
    Instant until;       // from the sending of the question
    bool counts = true;  // as a voter's: no candidate counts on this member
};

// A round of questions to the other members: asked together, complete when each has answered or its deadline
// has passed.
struct PeerRound {
    Instant asked;  // 0 = never
    bool complete = false;
    std::map<MemberName, PeerAnswer> answers;
};

// The timeline history of a server that this member might follow.
struct UpstreamAnswer {
    MemberName member;
    Revision leader_revision;  // of the leader record at the time: an answer is about this leadership
    Instant at;
    bool ok = false;
    std::string error;
    SystemId system_id;
    Timeline timeline;
    Lsn position;
    bool in_recovery = false;
    std::vector<std::pair<Timeline, Lsn>>
        switchpoints;  // oldest first: where each ancestor timeline was left
};

struct Self {
    MemberName name;
    bool may_lead = true;                   // tags
    bool may_bootstrap = true;              // the configuration has a bootstrap section
    int priority = 1;                       // failover_priority
    bool bootstrap_without_leader = false;  // a replica method with no_leader is configured
    // False: the data directory stays as it is, and an operator decides.
    bool remove_data_on_rewind_failure = true;
    bool remove_data_on_divergence = true;  // … where pg_rewind cannot be used
    bool can_rewind =
        true;  // use_pg_rewind, credentials, and the directory has checksums or hint bits logged
};

struct Observation {
    Self self;
    Instant now;
    WallTime wall;

    // --- the store
    std::shared_ptr<const ClusterView> cluster;  // null: never read since the agent started
    bool store_ok = false;                       // the last contact succeeded
    Instant store_silent_since;                  // when it stopped answering; meaningless while store_ok
    DynamicConfig config;                        // the last one that was understood, or the defaults

    // `initialize` exists, is empty and hangs on our lease: this member has won the race to bootstrap the
    // cluster.
    bool initialize_mine = false;

    // --- the lock
    Instant
        lock_valid_until;    // from the sending of the last confirmed renewal, plus ttl; the past = not held
    bool lock_lost = false;  // the store has said that the lock is not ours (any more)
    Revision lock_picture;   // the picture of the store on which this lock was won; 0: unknown

    // --- failsafe mode
    // leader: who has confirmed it during a store outage (failsafe.h)
    std::map<MemberName, Confirmation> confirmations;
    // … and who, as last published, asks the voters for leave before it leads
    std::map<MemberName, bool> asks_voters;
    bool failsafe_vetoed = false;        // a member has said that there is another leader
    Instant failsafe_round_until;        // until when the last round's confirmations count
    Instant failsafe_guarded_until;      // until when the guard has agreed to wait on the strength of them
    bool failsafe_listed = false;        // whatever list the store has is ours, and so names us
    bool failsafe_list_certain = false;  // … and is the one that we see
    // replica
    std::optional<MemberName> failsafe_leader;  // a leader that asked us for confirmation …
    Instant failsafe_leader_until;              // … and until when we believe in it
    Instant failsafe_unsure_until;  // until then an earlier life of this agent may have confirmed somebody

    // --- PostgreSQL here
    PostgresState pg;
    bool wal_stands_still = false;  // a primary's: sessions wait, and nothing gets to its disk
    std::optional<RunningOperation> running;
    std::optional<FinishedOperation> finished;  // the latest one
    // The member whose address is in the configured primary_conninfo; empty name = it follows nobody; absent
    // = an address that no member of the store has.
    std::optional<MemberName> following;
    bool watchdog_usable = true;  // false: the guard has refused to enforce a lock here, not long ago
    bool sync_uncertain =
        false;  // a write of `sync` has an unknown outcome, and the record is as it was before
    // Writes of `sync` that are not answered, or whose outcome is unknown: the record may be one of these
    // instead.
    std::vector<SyncRecord> sync_attempts;
    bool sync_as_found = false;  // … or of an earlier life of this agent: it is as this one has found it
    std::optional<Lsn> sync_noted_lsn;  // WAL position when synchronous_standby_names last took effect

    // --- the others
    PeerRound peers;
    std::optional<UpstreamAnswer> upstream;
};

// What the core must know again next time. Changed by decisions only; the shell keeps it, a restart of the
// agent loses it.
struct Memory {
    enum class Rewind { unknown, check, needed, not_needed, done, failed };
    Rewind rewind = Rewind::unknown;  // is this data directory on the leader's history?
    Revision rewind_for;              // the leadership (leader record revision) that `rewind` is about
    bool bootstrapping = false;       // this member won the race to initialize the cluster
    bool was_primary = false;         // PostgreSQL ran as a primary here when last seen
    std::optional<Instant> recovering_since;  // PostgreSQL went down by itself: crash recovery began
    // PostgreSQL runs here as the primary, but answers nothing, or gets nothing to its disk
    std::optional<Instant> mute_since;
    bool unfit = false;  // PostgreSQL ran here as the primary and could not serve: another member shall lead
    int failed_starts = 0;  // in a row
    int failed_clones = 0;
    int failed_bootstraps = 0;
    int failed_rewinds = 0;              // in a row, for this leader, that may be tried again
    std::optional<Instant> retry_after;  // back-off after failures
    std::optional<Instant> unlocked_since;
    Revision claim_used;  // the claim of a timeline that the latest promotion here has begun with
    std::optional<Instant> pre_promote_failed;
    std::optional<MemberName> handing_over_to;  // a planned switchover is under way; empty name = anybody
    std::optional<Instant> handover_released;   // the lock was released for it
    bool handover_timed_out = false;
    bool checkpoint_due = false;  // after a promotion: standbys wait for it before they rewind
    bool resumed = true;          // not paused the last time
    bool led = false;  // held the lock, without a break, since PostgreSQL last ran as a primary here
    bool seen_initialized = false;  // the store has shown an initialized cluster
    std::optional<Instant> failsafe_asked;
    std::optional<Instant> finished_seen;  // the finished operation that is already in the counters above
    Revision request_for;                  // the request (`failover`) that the next field is about
    std::optional<Instant> request_since;
    bool operator==(const Memory&) const = default;
};

}  // namespace pgherd::ha
