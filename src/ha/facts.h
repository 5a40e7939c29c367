// What the rules talk about: named predicates, derived once from an observation and the memory.
//
// A rule's condition reads as a sentence of these. Deriving them in one place keeps the rules free of
// arithmetic, and lets the switched-off safety rule of a simulation differ from the real decision in exactly
// one condition. The memory in here is already brought up to date with what was seen (facts_memory.cc).
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ha/failsafe.h"
#include "ha/observation.h"
#include "syncrep/syncrep.h"

namespace pgherd::ha {

inline constexpr Duration kAskAgain = std::chrono::seconds(1);  // peers, failsafe
inline constexpr Duration kAskUpstreamAgain = std::chrono::milliseconds(200);
inline constexpr Duration kCompareAgain = std::chrono::seconds(10);  // a standby that does not stream
inline constexpr Duration kRoundIsFresh =
    std::chrono::seconds(5);  // a complete round is an answer for that long
inline constexpr Duration kUnanswered = std::chrono::seconds(10);  // or ttl if that is more
inline constexpr Duration kUnfitStop = std::chrono::seconds(2);    // of a primary that could not serve
inline constexpr Duration kHandover =
    std::chrono::seconds(10);  // a candidate's chance, or ttl if that is less

// The answers of the other members, as far as they bear on taking the lock or giving it away.
struct RaceFacts {
    std::vector<MemberName> others;  // to be asked
    bool in_progress = false;        // a round is under way
    bool recent = false;  // it is complete, and was asked not long ago and since the cluster became unlocked
    bool answered = false;                // so it is, or there is nobody to be asked
    bool asked_lately = false;            // it is recent, or complete, not old, and the lock is ours
    bool ask_again = false;               // complete, but it is time for a new one
    std::optional<MemberName> primary;    // a reachable peer that runs as a primary
    bool primary_is_newer = false;        // … on a higher timeline than ours
    std::optional<MemberName> ahead;      // has more WAL than this member, and may lead
    std::optional<MemberName> preferred;  // as much WAL and a higher priority
    bool votes_suffice = true;            // quorum mode
    bool synchronous_set_allows = true;   // synchronous mode: only members of `sync` may take over
    bool lags = false;  // behind what the last leader wrote by more than maximum_lag_on_failover
    bool timeline_too_low = false;
    bool failsafe_forbids = false;  // a leader that we would not know of may go on in failsafe mode
    bool voters_may_keep_leader =
        false;                 // so may the leader of `sync`, by voters that are not known to be free
    bool stands_back = false;  // has handed over, and the candidate's chance is not over
};

// `failover`: the wish of an operator.
struct RequestFacts {
    const FailoverRequest* wanted = nullptr;  // null: none
    bool due = false;
    bool too_late = false;
    bool clear = false;  // it cannot be meant for this leader
    std::string clear_why;
    bool answered = false;                      // the candidates have been asked since the request was seen
    bool possible = false;                      // one of them could take over
    std::optional<MemberName> candidate_lives;  // unlocked: the wanted one is there, wait for it
    bool wants_me = false;                      // unlocked: this member is the candidate
    bool ignores_lag = false;  // unlocked: an operator's wish goes before maximum_lag_on_failover
};

// Is this data directory on the leader's history?
enum class History { unknown, shared, diverged, foreign };

struct RejoinFacts {
    bool upstream_known = false;  // the leader of this leadership has told its history
    bool ask_due = false;
    History history = History::unknown;
    bool leader_checkpointed = false;  // … since its promotion, and it runs as a primary
    MemberName upstream;  // whom to stream from; empty: nobody, or the remote host of a standby cluster
    bool follows = false;
    bool source_ready = false;  // there is a running member to clone from
    MemberName clone_source;
};

struct Facts {
    const Observation& seen;
    const ClusterView& view;  // an empty one when the store was never read
    Memory memory;
    std::string_view without;  // the safety rules that are switched off, with commas between
    Instant now;

    // --- the store and the lock
    bool store_read = false;
    bool unlocked = false;
    bool lock_recorded = false;   // the leader record names this member
    bool lock_held = false;       // … and its local deadline has not passed
    bool failsafe_holds = false;  // enough members confirmed this leader while the store is silent
    bool entitled = false;        // may run a primary: one of the two
    Instant entitled_until;
    bool another_leads = false;
    MemberName leader;                   // empty: none
    bool failsafe_leader_lives = false;  // another leader said so, while the store is silent
    bool failsafe_unsure = false;        // another may have, before this agent was started
    Instant stop_at;                     // an orderly stop must begin then

    // --- settings
    bool paused = false;
    bool standby_cluster = false;
    bool synchronous = false;  // `sync` names a leader

    // --- PostgreSQL
    bool busy = false;  // an operation is under way
    bool stopping = false;
    bool starting = false;
    bool down = false;
    bool primary = false;
    bool standby = false;
    bool may_write = false;  // primary, or about to become one: what needs the right to lead
    bool data_valid = false;
    bool clean = false;           // stopped in an orderly way
    bool former_primary = false;  // its data was last written by a primary
    WalPosition position;         // of the running instance
    std::optional<SystemId> system_id;
    bool wrong_system = false;  // not that of this cluster
    bool registered = false;    // that of this cluster
    bool backed_off = false;
    std::optional<Instant> start_deadline;  // crash recovery in place must be over by then
    bool start_expired = false;
    bool start_failed = false;     // the last start did not succeed
    bool makes_a_primary = false;  // the operation under way does
    bool unanswered = false;  // runs as our primary, but has told nothing, or got nothing to its disk, for
                              // longer than a moment of load explains
    bool failover_possible = false;  // by the latest answers
    bool failover_known = false;     // those are recent

    bool won_on_old_picture = false;  // another member may have led between that and the winning of this lock
    bool timeline_claimed = false;    // by this member, under this lock, for a promotion that has not begun
    Timeline unused_timeline;  // above all that were ever used or claimed, as far as anybody here knows
    std::optional<syncrep::Step> before_promotion;  // of a standby that holds the lock
    std::optional<syncrep::Step> synchronous_step;  // of a leader that runs as a primary

    RaceFacts race;
    RequestFacts request;
    RejoinFacts rejoin;

    bool off(std::string_view rule) const {
        for (std::string_view left = without; !left.empty();) {
            const auto comma = std::min(left.find(','), left.size());
            if (left.substr(0, comma) == rule) return true;
            left.remove_prefix(std::min(comma + 1, left.size()));
        }
        return false;
    }
    const MemberName& self() const { return seen.self.name; }
};

Facts derive(const Observation& seen, const Memory& memory, std::string_view without);

// Parts of it, in this order.
void derive_memory(Facts& facts);
void derive_race(Facts& facts);
void derive_request(Facts& facts);
void derive_rejoin(Facts& facts);
void derive_synchronous(Facts& facts);
void derive_picture(Facts& facts);
void derive_timeline(Facts& facts);
// A peer that could take over from this member now.
bool can_take_over(const Facts& facts, const MemberName& name, const PeerAnswer& answer);

}  // namespace pgherd::ha
