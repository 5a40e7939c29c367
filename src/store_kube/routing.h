// How Services find the primary: the role label of pods, and the addresses in the leader's Endpoints. Pure.
#pragma once

#include <optional>
#include <string>

#include "model/agent_config.h"
#include "store_kube/forms.h"
#include "store_kube/objects.h"

namespace pgherd::kube {

// The labels of a member's pod that follow from what it says of itself. A primary is only called one while
// the lock is its own; nothing: it is not to be used.
AnnotationChanges role_labels(const KubernetesConfig& config, const std::optional<std::string>& member,
                              bool holds_lock);

// The addresses that the leader's Endpoints should have; nothing when they have them already, or when the
// address is not known. `ip`: as configured, empty for the pod's own. `pod` may be null.
std::optional<Json> leader_addresses(const KubernetesConfig& config, const std::string& name_space,
                                     const Json& present, const std::string& ip, const Object* pod);
// None at all.
std::optional<Json> no_addresses(const Json& present);

}  // namespace pgherd::kube
