// Members run side by side: no service requires another, so that one which does not start holds nobody up.
#include "workload/render_layer.h"

#include "supervise/command.h"

namespace pgherd {

using namespace std::chrono_literals;

supervise::Layer agents_layer(const std::string& program, const std::vector<AgentService>& agents) {
    supervise::Layer layer;
    layer.order = 1000;
    layer.label = "agents";
    layer.summary = "members of a PostgreSQL cluster";
    for (const AgentService& agent : agents) {
        supervise::Service service;
        service.summary = "PostgreSQL and its agent, member " + agent.member.text();
        service.startup = "enabled";
        service.override = "replace";
        service.command = supervise::join_command({program, "agent", agent.config});
        service.working_dir = agent.working_dir;
        service.backoff_limit = 10s;
        service.kill_delay = 2min;
        layer.sections.services.emplace(agent.service, std::move(service));
    }
    return layer;
}

supervise::Service rollout_service(const std::string& program, const std::string& config) {
    supervise::Service service;
    service.summary = "replaces the pods of a changed StatefulSet one at a time";
    service.startup = "enabled";
    service.override = "replace";
    service.command = supervise::join_command({program, "container", "rollout", config});
    service.backoff_limit = 30s;
    return service;
}

}  // namespace pgherd
