// Failsafe mode: who may keep a leader going that has lost the store, and what that means for a candidate.
//
// A leader without the store goes on as long as members confirm it. A member that confirms is bound: for ttl
// (of the leader, or its own if that is more) it does not lead itself, and says to candidates that it is
// bound. By whom a leader must be confirmed depends on who could take over:
//
// - Asynchronous, or no standby is synchronous, or a member of Patroni is there: anybody in
//   the failsafe list could, so all of them must confirm (Patroni's rule). Who is not in the list does not
//   race while a member of it may lead.
// - With a record `sync` of this leader, its n standbys are the voters, and `quorum` (q; 0 with a list of
// names)
//   says how many of them a candidate may miss. n - q confirmations of voters are enough.
//
// Why they are enough. Let F be the voters whose confirmations the leader L counts at a moment, |F| >= n - q.
// Whoever is promoted while the record of L stands (voter or not, also at an operator's word) must, at the
// moment x when it takes the record over, hold the lock and know V, at least q + 1 voters that are free:
// itself, if it is one, not bound at x; the others by answers not older than kVoteHolds. (Less than q + 1 are
// too few under any rule: too-few-votes counts the same voters and asks for more of them.) |F| + |V| > n: F
// and V have a voter v in common, the candidate itself included. If v confirmed before it said to be free,
// its confirmation had ended by then, and L's counting of it (from before it was asked, the same ttl) with
// it. If v confirmed after it said so, it said "voted" for longer than kVoteHolds, and L did not count it. So
// L is not entitled by confirmations at x; nor by its lease, since the lock is another's. And a leader that
// is not entitled at one moment never is again without the lock. What v must remember for that is lost in a
// restart of its agent: for the first ttl a new agent calls itself unsure, which is as good as bound, and for
// the first kVoteIsKept voted.
//
// The record that a candidate finds is one that L counts by: L has written it; what L has tried to write
// since, with an unknown outcome, must have enough confirmations, too; and L writes it only on the strength
// of its lease, when the confirmations are forgotten. The failsafe list in the store names L as long as it
// may lead, so that a candidate knows whom to reckon with.
#pragma once

#include <algorithm>
#include <optional>

#include "base/time.h"
#include "ha/observation.h"

namespace pgherd::ha {

// A candidate relies on the answer of a voter for that long …
inline constexpr Duration kVoteHolds = std::chrono::seconds(5);
// … and the voter keeps to it a little longer, so that clocks need not run at quite the same rate.
inline constexpr Duration kVoteIsKept = std::chrono::seconds(6);

// How many voters of this record must confirm its leader; nothing: it has none that could decide.
std::optional<int> confirmations_needed(const SyncRecord& record);
// Until when enough members have confirmed this leader; the epoch when not at all.
Instant confirmed_until(const Observation& seen);
// … and the guard knows it.
inline Instant failsafe_until(const Observation& seen) {
    return std::min(confirmed_until(seen), seen.failsafe_guarded_until);
}

}  // namespace pgherd::ha
