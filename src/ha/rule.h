// A rule, and the tables they are in. The first rule whose condition holds decides; its name is the reason in
// the log, the label in the metrics, the name of its test case and a line of docs/internals/decisions.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "ha/decision.h"
#include "ha/facts.h"

namespace pgherd::ha {

struct Rule {
    std::string_view name;
    std::string_view text;  // one sentence: when, and what then
    std::string_view source;
    bool safety;
    bool (*when)(const Facts&);
    void (*then)(const Facts&, Decision&);
    // A safety rule that is a second line of defence: what holds when it does not, by name, with commas
    // between
    // ("guard" is the guard's deadline). A simulation switches both off.
    std::string_view backs_up = {};
};

struct Table {
    std::string_view situation;
    bool (*applies)(const Facts&);
    std::span<const Rule> rules;
};

// In the order in which they are searched.
std::span<const Table> tables();
// All that are due apply, beside the rule that decided.
std::span<const Rule> duties();

extern const std::span<const Rule> kAuthorityRules;
extern const std::span<const Rule> kInFlightRules;
extern const std::span<const Rule> kSilenceRules;
extern const std::span<const Rule> kTransitionRules;
extern const std::span<const Rule> kBootstrapRules;
extern const std::span<const Rule> kDataRules;
extern const std::span<const Rule> kPauseRules;
extern const std::span<const Rule> kOwnLockRules;
extern const std::span<const Rule> kRecoveryRules;
extern const std::span<const Rule> kUnlockedRules;
extern const std::span<const Rule> kRaceRules;
extern const std::span<const Rule> kLeaderRules;
extern const std::span<const Rule> kPromotionRules;
extern const std::span<const Rule> kRejoinRules;
extern const std::span<const Rule> kReplicaRules;

// --- what rules do
inline void act(Decision& d, Action action) {
    d.actions.push_back(std::move(action));
}

inline void wake_at(Decision& d, Instant when) {
    if (!d.wake || when < *d.wake) d.wake = when;
}

template <class... Args>
void say(Decision& d, fmt::format_string<Args...> format, Args&&... args) {
    d.text = fmt::format(format, std::forward<Args>(args)...);
}

// The configuration wants the data kept: an operator has to decide.
inline void hold(Decision& d, std::string_view what, std::string_view setting) {
    say(d,
        "{}, and postgresql.{} is false: the data directory is kept. To replace it by a copy of the "
        "leader's, reinitialize this member (pgherd ctl reinit); after a repair by hand, restart its agent",
        what, setting);
    d.needs_operator = true;
}

inline void keep_lock(const Facts& f, Decision& d) {
    if (f.lock_recorded || f.failsafe_holds || f.memory.bootstrapping || f.seen.initialize_mine)
        act(d, RenewLock{});
}

inline void release_lock(const Facts& f, Decision& d) {
    if (f.lock_recorded) act(d, ReleaseLock{});
}

inline void ask_peers_again(const Facts& f, Decision& d) {
    if (f.race.ask_again)
        act(d, AskPeers{f.race.others});
    else
        wake_at(d, f.seen.peers.asked + kAskAgain);
}

inline bool failed_bootstrap(const Facts& f) {
    return f.seen.finished && f.seen.finished->operation == Operation::bootstrap && !f.seen.finished->ok;
}

inline void nothing(const Facts&, Decision&) {}

}  // namespace pgherd::ha
