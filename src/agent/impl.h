// The inside of the agent: what its three files share. agent.cc is the cycle (observe, decide, act),
// actions.cc gives the core's actions to the ports, upkeep.cc does what needs no decision.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/agent.h"
#include "agent/instance.h"
#include "agent/lease.h"
#include "agent/owed_reload.h"
#include "agent/publisher.h"
#include "agent/questions.h"
#include "agent/requests.h"
#include "agent/store_mirror.h"
#include "base/scope.h"

namespace pgherd::agent {

class Agent::Impl {
  public:
    Impl(AgentConfig config, Ports ports, std::move_only_function<void(std::string)> on_exit, Decide decide);

    void start();
    void shutdown(Then done);
    void reload(AgentConfig config);

    AgentState state_;
    Requests requests_;
    RestApi rest_;

  private:
    // --- the cycle: observe, decide, act
    void changed();
    void step();
    void tick();
    void observe();
    bool lost_to_the_primary() const;
    void note(const ha::Decision& decision);
    void schedule(std::optional<Instant> wake);
    // --- acting
    void perform(const ha::Action& action, const ha::Decision& decision);
    void perform_on_store(const ha::Action& action, const std::string& why);
    void perform_operation(const ha::Action& action, std::string_view rule);
    void stop(ha::StopKind kind, std::string_view rule);
    void start_postgres(const StartSpec& spec, std::string_view rule);
    void promote(Timeline timeline, std::string_view rule);
    void write(const std::string& key, Expectation expect, std::optional<std::string> value,
               LeaseId lease = {}, std::function<void(const Error&)> failed = {});
    // A record may be replaced only as this decision has seen it.
    Expectation as_seen(const std::string& key) const;
    void write_config();
    // --- what needs no decision
    void apply_config();
    void configure_postgres();
    void maintain();
    void begin_reload();
    void sync_slots();
    void finish_shutdown();
    void take_leave();
    void notify_role();
    Upstream upstream(const MemberName& member) const;
    std::optional<MemberName> following() const;
    Duration question_limit() const;

    Ports ports_;
    std::move_only_function<void(std::string)> on_exit_;
    Decide decide_;
    StoreMirror mirror_;
    Lease lease_;
    Instance instance_;
    Questions questions_;
    Publisher publisher_;
    ha::Memory memory_;
    Timer timer_;
    bool step_pending_ = false;
    OwedReload reload_;
    std::optional<Revision> found_sync_;      // as it was when this agent was started
    std::vector<SyncRecord> sync_attempts_;   // not answered, or of unknown outcome
    std::optional<Revision> uncertain_sync_;  // a write against this revision of `sync` may still happen
    std::string applied_config_;
    Role last_role_ = Role::uninitialized;  // as the callbacks know it
    std::map<std::string, Lsn> slots_;      // as last asked for
    Instant slots_synced_;
    bool syncing_slots_ = false;
    std::map<MemberName, Instant> last_seen_members_;
    std::optional<std::string> exit_why_;  // as soon as no write is under way
    Then shutting_down_;
    bool stop_begun_ = false;
    bool revoking_ = false;
    bool led_until_the_end_ = false;
    std::optional<Instant> leave_by_;  // the lease has ended; when the agent does at the latest
    Scope scope_;
};

}  // namespace pgherd::agent
