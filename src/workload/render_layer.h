// What a supervisor has to run where members live: on a machine with several of them, or in a container with
// one.
#pragma once

#include <string>
#include <vector>

#include "base/strong.h"
#include "supervise/layer.h"

namespace pgherd {

struct AgentService {
    std::string service;
    MemberName member;
    std::string config;       // path of agent.yml
    std::string working_dir;  // empty = the supervisor's
};

// One enabled service for each. `program`: how pgherd is called there. An agent that
// ends is started again; one that is told to end gets the time that PostgreSQL needs for its last checkpoint.
supervise::Layer agents_layer(const std::string& program, const std::vector<AgentService>& agents);

// Replaces the pods of a changed StatefulSet. `config`: the agent's.
supervise::Service rollout_service(const std::string& program, const std::string& config);

}  // namespace pgherd
