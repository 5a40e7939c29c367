#include "supervise/layer.h"

namespace pgherd::supervise {

bool LogTarget::wants(std::string_view service) const {
    for (auto entry = services.rbegin(); entry != services.rend(); ++entry) {
        const bool without = entry->starts_with('-');
        const std::string_view name = std::string_view(*entry).substr(without ? 1 : 0);
        if (name == "all" || name == service) return !without;
    }
    return false;
}

StringMap effective_environment(const Plan& plan, const Service& service) {
    StringMap environment;
    if (const auto workload = plan.workloads.find(service.workload); workload != plan.workloads.end())
        environment = workload->second.environment;
    for (const auto& [name, value] : service.environment) environment.insert_or_assign(name, value);
    return environment;
}

UserGroup effective_owner(const Plan& plan, const Service& service) {
    const auto workload = plan.workloads.find(service.workload);
    return workload != plan.workloads.end() ? workload->second.owner : service.owner;
}

}  // namespace pgherd::supervise
