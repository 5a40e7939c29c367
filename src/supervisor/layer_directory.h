// The layers directory of the supervisor, read once, at its start.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "supervise/layer.h"

namespace pgherd::supervisor {

// Nothing when the directory does not exist. Errors name the file, and the line where it is a line's fault.
Result<std::vector<supervise::Layer>> read_layer_directory(const std::string& path);

// $PEBBLE: made when wanted, an error when missing. `copy_once`: a directory whose content fills it when it
// is empty.
Status prepare_directory(const std::string& path, bool create, const std::string& copy_once);

}  // namespace pgherd::supervisor
