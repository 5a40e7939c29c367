// The Store port on the Kubernetes API, in Patroni's layout of objects.
//
// It does not block and does not fail when the API is down: calls do, and watches report it and go on by
// themselves.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "eventloop/loop.h"
#include "model/agent_config.h"
#include "ports/store.h"

namespace pgherd {

// `self`: the member that this client is, and its pod's name; empty for a client that is none. Errors: no
// service account and no kubeconfig, or one that cannot be used.
Result<std::unique_ptr<Store>> open_kube_store(EventLoop& loop, const KubernetesConfig& config,
                                               std::string scope, const MemberName& self);

// The clusters that have objects in the namespace. Blocks, running the loop.
Result<std::set<std::string>> find_kube_clusters(EventLoop& loop, const KubernetesConfig& config,
                                                 Duration patience);

}  // namespace pgherd
