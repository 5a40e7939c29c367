// A layer from its YAML, strictly: a section or a field that is not known is an error, because a misspelt
// `on-failure` would be found only at the next failure. The texts are Pebble's (which are go-yaml's), as its
// clients show them to people; line numbers are those of the text the user gave.
#pragma once

#include <string_view>

#include "supervise/layer.h"

namespace pgherd::supervise {

// Checks also what can be checked in one layer alone: names, and values that are wrong in any plan.
// Errors begin with `cannot parse layer "<label>"`.
Result<Layer> parse_layer(int order, std::string_view label, std::string_view yaml);

// Plans and layers as Pebble writes them.
std::string plan_yaml(const Plan& plan);     // "{}\n" when nothing is in it
std::string layer_yaml(const Layer& layer);  // the same with summary and description; parse_layer reads it

}  // namespace pgherd::supervise
