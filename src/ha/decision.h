// What a decision may ask for, and the decision itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/strong.h"
#include "base/time.h"
#include "ha/observation.h"
#include "model/cluster.h"

namespace pgherd::ha {

// How a primary goes down (reference: Patroni's demote modes).
enum class StopKind {
    graceful,   // planned: CHECKPOINT first, fast, and the lock is released as soon as nothing can be written
                // any more
    offline,    // the store is silent: fast, while the lease still runs
    immediate,  // no right to be a primary any more: immediate
    standby,    // fast stop of a standby, for a rewind or a restart elsewhere
};

// --- the lock and the records of the store
struct AcquireLock {};     // create the leader record under our lease
struct RenewLock {};       // keep the lease (the shell does so when it is due)
struct ReleaseLock {};     // delete the leader record if it is ours
struct TakeInitialize {};  // create `initialize`, empty, under our lease
struct WriteInitialize {
    SystemId id;
};  // the cluster exists now
struct DropInitialize {};  // the bootstrap failed
struct WriteConfig {};     // create `config` from the bootstrap section or the cached document
struct ClearRequest {
    Revision modified;
};  // delete `failover` if unchanged
struct WriteSync {
    SyncRecord record;
};  // swap `sync` against record.modified
struct ClaimTimeline {
    Timeline timeline;
};  // swap `timeline` as this decision has seen it
// --- questions
struct AskPeers {
    std::vector<MemberName> members;
};
struct AskFailsafe {
    std::vector<MemberName> members;
};
struct AskUpstream {
    MemberName member;
};
// --- PostgreSQL
struct Bootstrap {};
struct Clone {
    MemberName source;
};  // empty: a method that needs no source
struct StartPrimary {};
struct StartStandby {
    MemberName upstream;
};  // empty: follow nobody
struct Stop {
    StopKind kind;
};
struct Promote {
    Timeline timeline;
};  // as claimed; 0: not claimed
struct Follow {
    MemberName upstream;
};  // empty: follow nobody
struct Rewind {
    MemberName source;
};
struct Quarantine {};
struct Checkpoint {};
struct SetSynchronousStandbyNames {
    std::string names;
};
// --- the agent itself
struct Exit {
    std::string why;
};  // cannot go on without an operator; exit code 1

using Action =
    std::variant<AcquireLock, RenewLock, ReleaseLock, TakeInitialize, WriteInitialize, DropInitialize,
                 WriteConfig, ClearRequest, WriteSync, ClaimTimeline, AskPeers, AskFailsafe, AskUpstream,
                 Bootstrap, Clone, StartPrimary, StartStandby, Stop, Promote, Follow, Rewind, Quarantine,
                 Checkpoint, SetSynchronousStandbyNames, Exit>;

struct Decision {
    std::string_view rule;                 // the name of the rule that decided
    std::string text;                      // the same for people, with names filled in
    std::vector<Action> actions;           // in this order; at most one of them is an operation of PostgreSQL
    Memory memory;                         // for the next decision
    std::vector<std::string_view> duties;  // the duties that were due beside it, by name
    std::optional<Instant> wake;           // decide again then at the latest, even if nothing happens
    bool needs_operator = false;           // nothing goes on by itself here: `text` says what is to be done
};

// The one decision of the core. Total: every observation has a rule.
Decision decide(const Observation& seen, const Memory& memory);

// For tests, `--without RULE` of the simulator and the documentation.
struct RuleInfo {
    std::string_view name;
    std::string_view text;      // one sentence: when, and what then
    std::string_view source;    // where the rule comes from: "Patroni 4.6 U2", "DESIGN 3.4"
    bool safety;                // switched off, the simulator must find a violation
    std::string_view backs_up;  // … when these are switched off, too: rules, or "guard"
};
const std::vector<RuleInfo>& rules();
// Decides as if the named safety rules did not exist (with commas between). For the simulator only.
Decision decide_without(std::string_view rules, const Observation& seen, const Memory& memory);

}  // namespace pgherd::ha
