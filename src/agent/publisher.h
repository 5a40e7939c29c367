// What this member writes into the store about itself and, as the leader, about the cluster: `members/<me>`,
// `status`, `history`, `failsafe`. Not decisions: the records follow the facts.
#pragma once

#include <map>
#include <string>

#include "agent/lease.h"
#include "agent/state.h"
#include "agent/store_mirror.h"
#include "ports/clock.h"

namespace pgherd::agent {

// The member as it should be published; pure.
Member describe_member(const AgentConfig& config, const ha::Observation& seen, const ha::Memory& memory,
                       const std::optional<ScheduledRestart>& scheduled);

// The history with the lines of `timelines` added that it lacks; the newest gets the time and the new leader.
// Pure.
std::vector<HistoryLine> merge_history(const std::vector<HistoryLine>& published,
                                       const std::vector<HistoryLine>& timelines, WallTime now,
                                       const MemberName& leader, int limit);

class Publisher {
  public:
    Publisher(MemberName self, StoreMirror& mirror, Lease& lease, Clock& clock)
        : self_(std::move(self)), mirror_(mirror), lease_(lease), clock_(clock) {}

    // Writes what has changed. Positions alone are written once every loop_wait.
    void publish(AgentState& state);
    // The last position of a leader that goes: candidates must not look as if they lagged behind it.
    void publish_final_position(Lsn position);
    // A leader that has stopped its PostgreSQL for good: nobody needs to wait for it.
    void leave_failsafe_list();
    // The list in the store is from this leader, in this leadership …
    bool failsafe_listed() const { return listed_; }
    // … and is the one that we see: no write of it is under way or of unknown outcome.
    bool failsafe_list_certain() const;

  private:
    void publish_member(AgentState& state, bool positions_due);
    void publish_status(const AgentState& state);
    void publish_history(const AgentState& state);
    void publish_failsafe(const AgentState& state);
    void put(const std::string& key, std::string value, LeaseId lease = {});

    MemberName self_;
    StoreMirror& mirror_;
    Lease& lease_;
    Clock& clock_;
    std::string last_member_;  // without positions
    Instant positions_written_;
    std::string list_;  // of the members in failsafe mode, as confirmed; empty: it may be another one
    bool listed_ = false;
};

}  // namespace pgherd::agent
