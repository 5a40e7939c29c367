// Makes the Secret of a cluster's passwords where there is none.
#pragma once

#include <string>

#include "base/result.h"
#include "model/agent_config.h"

namespace pgherd::container {

// Random passwords under the keys that members look for. Gives whether it was made: one that exists stays as
// it is. Errors: the API cannot be reached or refuses.
Result<bool> make_first_secret(const std::string& name, const KubernetesConfig& config);

// Letters and digits.
std::string random_password();

}  // namespace pgherd::container
