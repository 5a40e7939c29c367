// What users and peers may ask of an agent: the write endpoints of the REST API, and signals.
#pragma once

#include <optional>
#include <string>

#include "model/cluster.h"
#include "model/peer.h"
#include "ports/completion.h"

namespace pgherd::agent {

struct RestartRequest {
    std::optional<WallTime> schedule;
    std::optional<Role> role;
    std::string postgres_version;
    std::optional<Duration> timeout;
    bool restart_pending = false;
};

// The answer to a command: an HTTP status and a line for people.
struct CommandAnswer {
    int status = 200;
    std::string text;
};

class Commands {
  public:
    virtual ~Commands() = default;
    using Answer = std::move_only_function<void(CommandAnswer)>;

    // Merges into, or replaces, the dynamic configuration. Gives the new document in `text` (status 200).
    virtual void patch_config(JsonObject patch, Answer answer) = 0;
    virtual void put_config(JsonObject document, Answer answer) = 0;
    // A switchover has `leader`, a failover has not. Answers when it is done, has failed, or is scheduled.
    virtual void switchover(FailoverRequest request, Answer answer) = 0;
    virtual void cancel_switchover(Answer answer) = 0;
    virtual void restart(RestartRequest request, Answer answer) = 0;
    virtual void cancel_restart(Answer answer) = 0;
    virtual void reload(Answer answer) = 0;
    virtual void reinitialize(bool force, bool from_leader, Answer answer) = 0;
    // A leader without a store asks whether we still follow it. Gives our position, or the reason why not.
    virtual Result<FailsafeAnswer> failsafe(const FailsafeMessage& message) = 0;
    // A candidate asks what this member is, and counts on it unless it says that it is bound to a leader.
    virtual void asked_by_candidate() = 0;
};

}  // namespace pgherd::agent
