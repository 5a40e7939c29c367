// Layers combined to a plan, and what must hold of the result.
#pragma once

#include <string_view>
#include <vector>

#include "supervise/layer.h"

namespace pgherd::supervise {

// The layers one over the other, the first at the bottom. Fails only for a wrong `override`.
Result<Layer> combine(const std::vector<const Layer*>& layers);

// What is wrong in a layer whatever lies above and below it.
Status validate_layer(const Layer& layer);
// What must hold of the whole: commands, check types, references, and no loop of after and before.
Status validate_plan(const Plan& plan);

// "enabled" services, in order of name.
std::vector<std::string> default_services(const Plan& plan);

}  // namespace pgherd::supervise
