// The agent of one member (see README.md). Owns no thread and no clock: everything comes through ports.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/commands.h"
#include "agent/rest.h"
#include "agent/state.h"
#include "model/agent_config.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/peers.h"
#include "ports/postgres.h"
#include "ports/random.h"
#include "ports/store.h"

namespace pgherd::agent {

// All outlive the agent.
struct Ports {
    Clock& clock;
    Random& random;
    Store& store;
    Postgres& postgres;
    Peers& peers;
    Log& log;
};

// How to decide; ha::decide, or for the simulator ha::decide_without a rule.
using Decide = std::function<ha::Decision(const ha::Observation&, const ha::Memory&)>;

class Agent {
  public:
    // `on_exit`: the agent cannot go on without an operator (exit code 1). Destroying the agent is a crash of
    // the brain: PostgreSQL stays as it is.
    Agent(AgentConfig config, Ports ports, std::move_only_function<void(std::string why)> on_exit,
          Decide decide = ha::decide);
    ~Agent();

    void start();
    // SIGTERM: hands the lock over or releases it, stops PostgreSQL (unless paused), ends the lease.
    void shutdown(Then done);
    void reload(AgentConfig config);  // SIGHUP
    // What to do when a user asks over REST that the configuration file be read again.
    void on_reload(std::function<void()> call);
    void handle(HttpRequest request, std::move_only_function<void(HttpResponse)> reply);
    const AgentState& state() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace pgherd::agent
