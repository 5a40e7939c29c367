// What the agent shows of itself: the input of the REST API's read endpoints.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "ha/decision.h"
#include "ha/failsafe.h"
#include "ha/observation.h"
#include "model/agent_config.h"
#include "model/cluster.h"

namespace pgherd::agent {

inline constexpr std::string_view kPatroniVersion =
    "4.1.0";  // the Patroni version this agent is compatible with

struct AgentState {
    AgentConfig config;
    ha::Observation seen;   // the latest
    ha::Decision decision;  // the latest
    Member published;       // as last written to members/<name>
    Instant started;
    Instant last_decision;     // for /liveness
    WallTime store_last_seen;  // for dcs_last_seen
    std::string progress;      // of the running operation, empty = none
    bool failsafe_active = false;
    std::string request_refusal;  // why this leader last dropped a request for a new leader
    std::optional<ScheduledRestart> scheduled_restart;
    std::map<std::string, std::uint64_t> rule_counts;  // how often each rule decided
    std::map<std::string, Duration> operation_took;    // the last promotion, rewind, clone, … that succeeded

    bool paused() const { return seen.config.pause; }
    // The lock is ours and its local deadline has not passed.
    bool leads() const {
        return seen.cluster && seen.cluster->led_by(config.name) && seen.now < seen.lock_valid_until;
    }
    // … or members keep it in the lead while the store is away: for clients that is the same.
    bool serves_as_leader() const {
        bool kept = seen.config.failsafe_mode && seen.cluster && seen.pg.primary() &&
                    (seen.cluster->unlocked() || seen.cluster->led_by(config.name)) &&
                    seen.now < ha::failsafe_until(seen);
        return leads() || kept;
    }
    // What a candidate must know of this member: it has confirmed a leader that may go on without the store,
    // or may have, before its agent was started.
    bool bound_in_failsafe() const {
        return seen.failsafe_leader && *seen.failsafe_leader != config.name &&
               seen.now < seen.failsafe_leader_until;
    }
    bool unsure_in_failsafe() const {
        return (seen.config.failsafe_mode || !seen.cluster) && seen.now < seen.failsafe_unsure_until;
    }
    // The leader's lock in a standby cluster makes a standby leader.
    bool standby_cluster() const { return seen.config.standby_cluster.has_value(); }
};

}  // namespace pgherd::agent
