// Commands of users and peers, carried out: the write side of the REST API.
//
// A switchover is a record in the store that the leader obeys; here it is checked, written and awaited.
// Restart and reinitialise are operations on the local instance, begun when nothing else runs.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "agent/commands.h"
#include "agent/instance.h"
#include "agent/state.h"
#include "agent/store_mirror.h"
#include "base/scope.h"
#include "ports/clock.h"
#include "ports/log.h"

namespace pgherd::agent {

class Requests : public Commands {
  public:
    Requests(AgentState& state, StoreMirror& mirror, Instance& instance, Clock& clock, Log& log);

    // Called by the agent on every step: answers those who wait, begins what is due.
    void step();
    // The configuration file shall be read again.
    std::function<void()> on_reload;
    // A clone after `reinitialize --from-leader` copies from the leader itself.
    bool clone_from_leader() const { return clone_from_leader_; }
    // About to give up its data: it must not count as synchronous then.
    bool leaves_synchronous_set() const { return reinitialize_due_; }

    void patch_config(JsonObject patch, Answer answer) override;
    void put_config(JsonObject document, Answer answer) override;
    void switchover(FailoverRequest request, Answer answer) override;
    void cancel_switchover(Answer answer) override;
    void restart(RestartRequest request, Answer answer) override;
    void cancel_restart(Answer answer) override;
    void reload(Answer answer) override;
    void reinitialize(bool force, bool from_leader, Answer answer) override;
    Result<FailsafeAnswer> failsafe(const FailsafeMessage& message) override;
    void asked_by_candidate() override;

    std::optional<MemberName> failsafe_leader() const { return failsafe_leader_; }
    Instant failsafe_leader_until() const { return failsafe_leader_until_; }

  private:
    struct Waiting {
        FailoverRequest request;
        MemberName old_leader;
        Instant until;
        bool written = false;
        Answer answer;
    };

    std::optional<CommandAnswer> refuse_switchover(const FailoverRequest& request) const;
    std::optional<CommandAnswer> outcome(const Waiting& waiting) const;
    std::optional<CommandAnswer> refuse_restart(const RestartRequest& request) const;
    void begin_restart(const RestartRequest& request, std::string_view rule, Answer answer);
    void begin_scheduled_restart();
    void begin_reinitialize();
    void write_config(JsonObject document, Expectation expect, Answer answer);

    AgentState& state_;
    StoreMirror& mirror_;
    Instance& instance_;
    Clock& clock_;
    Log& log_;
    std::list<Waiting> waiting_;
    bool reinitialize_due_ = false;
    bool reinitialize_forced_ = false;
    Instant reinitialize_until_;  // to be out of the synchronous set
    bool clone_from_leader_ = false;
    std::optional<MemberName> failsafe_leader_;
    Instant failsafe_leader_until_;
    Instant voted_until_;  // a candidate counts on this member
    Scope scope_;
};

}  // namespace pgherd::agent
