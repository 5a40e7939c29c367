// The walk through the tables: the first rule that applies decides, then the duties that are due beside it.
#include <algorithm>
#include <iterator>

#include "base/assert.h"
#include "ha/decision.h"
#include "ha/rule.h"

namespace pgherd::ha {

namespace {

bool any(const Facts&) {
    return true;
}

bool is_operation(const Action& action) {
    return std::holds_alternative<Bootstrap>(action) || std::holds_alternative<Clone>(action) ||
           std::holds_alternative<StartPrimary>(action) || std::holds_alternative<StartStandby>(action) ||
           std::holds_alternative<Stop>(action) || std::holds_alternative<Promote>(action) ||
           std::holds_alternative<Follow>(action) || std::holds_alternative<Rewind>(action) ||
           std::holds_alternative<Quarantine>(action) || std::holds_alternative<Checkpoint>(action);
}

std::vector<RuleInfo> describe() {
    std::vector<RuleInfo> all;
    auto add = [&](const Rule& rule) {
        all.push_back({rule.name, rule.text, rule.source, rule.safety, rule.backs_up});
    };
    for (const Table& table : tables()) std::ranges::for_each(table.rules, add);
    std::ranges::for_each(duties(), add);
    return all;
}

}  // namespace

std::span<const Table> tables() {
    static const Table all[] = {
        {"The right to be a primary", any, kAuthorityRules},
        {"An operation is under way", [](const Facts& f) { return f.busy; }, kInFlightRules},
        // A crash under a lease that still runs is dealt with as if the store answered.
        {"The store is silent",
         [](const Facts& f) { return !f.seen.store_ok && !(f.down && f.lock_held && f.now < f.stop_at); },
         kSilenceRules},
        {"PostgreSQL starts or stops by itself", [](const Facts& f) { return f.starting || f.stopping; },
         kTransitionRules},
        {"A new cluster",
         [](const Facts& f) {
             return f.memory.bootstrapping || f.seen.pg.unregistered ||
                    (f.seen.initialize_mine && f.down && failed_bootstrap(f));
         },
         kBootstrapRules},
        {"The data directory",
         [](const Facts& f) { return !f.memory.bootstrapping || !f.data_valid || f.down; }, kDataRules},
        {"Paused", [](const Facts& f) { return f.paused; }, kPauseRules},
        {"The lock is recorded as ours", [](const Facts& f) { return f.lock_recorded; }, kOwnLockRules},
        {"We have the lock, PostgreSQL is down", [](const Facts& f) { return f.lock_recorded && f.down; },
         kRecoveryRules},
        {"Nobody leads", [](const Facts& f) { return f.unlocked; }, kUnlockedRules},
        {"Nobody leads: the race", [](const Facts& f) { return f.unlocked; }, kRaceRules},
        {"We lead", [](const Facts& f) { return f.lock_recorded; }, kLeaderRules},
        {"We have the lock and are a standby", [](const Facts& f) { return f.lock_recorded && f.standby; },
         kPromotionRules},
        {"Another member leads, PostgreSQL is down", [](const Facts& f) { return f.another_leads && f.down; },
         kRejoinRules},
        {"Another member leads", [](const Facts& f) { return f.another_leads; }, kReplicaRules},
    };
    return all;
}

Decision decide_without(std::string_view without, const Observation& seen, const Memory& memory) {
    Facts facts = derive(seen, memory, without);
    Decision decision;
    decision.memory = facts.memory;
    auto applies = [&](const Rule& rule) { return !facts.off(rule.name) && rule.when(facts); };
    for (const Table& table : tables()) {
        if (!table.applies(facts)) continue;
        auto found = std::ranges::find_if(table.rules, applies);
        if (found == table.rules.end()) continue;
        decision.rule = found->name;
        decision.text = found->text;
        found->then(facts, decision);
        break;
    }
    PGHERD_ASSERT(!decision.rule.empty() || !without.empty(), "no rule applies");
    bool stops = std::ranges::any_of(
        decision.actions, [](const Action& action) { return std::holds_alternative<Stop>(action); });
    if (stops) return decision;
    for (const Rule& duty : duties())
        if (applies(duty)) {
            duty.then(facts, decision);
            decision.duties.push_back(duty.name);
        }
    PGHERD_ASSERT(std::ranges::count_if(decision.actions, is_operation) <= 1,
                  "two operations of PostgreSQL in one decision");
    // What was due and changed nothing will not change anything by being looked at again at once.
    if (decision.wake && *decision.wake <= seen.now) decision.wake.reset();
    return decision;
}

Decision decide(const Observation& seen, const Memory& memory) {
    return decide_without({}, seen, memory);
}

const std::vector<RuleInfo>& rules() {
    static const std::vector<RuleInfo> all = describe();
    return all;
}

}  // namespace pgherd::ha
