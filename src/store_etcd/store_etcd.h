// The Store port on etcd v3 (3.3 and later), through the JSON gateway.
//
// It does not block and does not fail when etcd is down: calls do, and watches report it and go on by
// themselves.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "eventloop/loop.h"
#include "model/agent_config.h"
#include "ports/store.h"

namespace pgherd {

// `key_prefix`: AgentConfig::key_prefix(), "/service/c1/". Errors: no endpoints, unusable certificates.
Result<std::unique_ptr<Store>> open_etcd_store(EventLoop& loop, const StoreConfig& config,
                                               std::string key_prefix);

}  // namespace pgherd
