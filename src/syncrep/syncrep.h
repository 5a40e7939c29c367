// The synchronous set, one safe step at a time (reference: Patroni 4.1, section "Synchronous replication").
//
// Invariant: a name in the `sync` record is in synchronous_standby_names, in force, and has confirmed
// everything that was written before it was added. So whoever is in the record may take over without losing
// an acknowledged commit.
// - Remove: shrink the record first (compare-and-swap), then PostgreSQL.
// - Add: PostgreSQL first, wait until the standby has flushed what was there at that moment, then the record.
// With quorum mode, numsync and quorum change so that numsync + quorum >= size of (voters ∪ synchronous set)
// at every step.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/lsn.h"
#include "base/strong.h"
#include "model/cluster.h"
#include "model/postgres_state.h"

namespace pgherd::syncrep {

// synchronous_standby_names, parsed. Only the forms that pgherd writes are told apart; others are `other`.
struct SyncNames {
    enum class Method { none, first, any, other } method = Method::none;
    int count = 0;
    std::vector<MemberName> names;  // sorted
    bool operator==(const SyncNames&) const = default;
};
SyncNames parse_names(std::string_view text);
std::string render_names(const SyncNames& names);  // "" for none; names quoted where needed

struct Input {
    MemberName self;
    const DynamicConfig* config;
    const SyncRecord* record;       // as read with the current view
    bool record_uncertain = false;  // a write against this revision may still happen
    const std::map<MemberName, Member>* members;
    const PostgresState* pg;
    std::optional<Lsn>
        noted_lsn;  // position when the current synchronous_standby_names took effect; nothing: unknown,
                    // then the names must be set again before a standby counts as caught up
    std::string user_names;  // what users configured; used while synchronous mode is off
};

struct Done {};  // the set is as it should be
struct Wait {
    std::string why;
};  // for a standby to catch up
struct SwapRecord {
    SyncRecord record;
};  // against record.modified
struct SetNames {
    std::string names;
};  // in force in the whole server, then note the LSN
using Step = std::variant<Done, Wait, SwapRecord, SetNames>;

// The setting under which a primary of this record acknowledges nothing that a member of it may lack; for a
// server that is about to become a primary.
SyncNames names_for(const SyncRecord& record, const MemberName& self, const DynamicConfig& config);

// The next step of a leader that runs as a primary.
Step next_step(const Input& input);

// The step before a promotion: the new leader takes the record over, so that no other member of the old set
// may be promoted beside it, and keeps the others as candidates. nothing = go on.
std::optional<Step> before_promotion(const Input& input);

}  // namespace pgherd::syncrep
