// The layers of a running supervisor, in order, and the plan they make. A change that would not give a valid
// plan changes nothing.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "supervise/layer.h"

namespace pgherd::supervise {

class LayerStack {
  public:
    const Plan& plan() const { return plan_; }
    const std::vector<Layer>& layers() const { return layers_; }

    // From files, with their orders. Once, at the start.
    Status load(std::vector<Layer> layers);
    // A new layer on top, or, for "dir/name", on top of those of `dir`, which needs `inner` when others lie
    // above. The label must be new.
    Status append(Layer layer, bool inner);
    // Over the layer of the same label, at its place; as append when there is none.
    Status combine_with(Layer layer, bool inner);
    // Arguments from `run --args`: service -> what replaces its default arguments.
    Status set_service_arguments(const std::map<std::string, std::vector<std::string>>& arguments);

  private:
    Status adopt(std::vector<Layer> layers);
    std::vector<Layer> layers_;
    Plan plan_;
    bool loaded_ = false;
};

// The layers directory, as names; reading is the caller's.
struct LayerFileName {
    int order = 0;  // of its own level: 1 for "001-…"
    std::string label;
    bool directory = false;  // "NNN-label.d"
};
// Which of `names` (with whether each is a directory) are layers, sorted; names that end in neither ".yaml"
// nor ".d" are none. `nested`: inside a sub-directory, where no further one may be.
struct DirectoryEntry {
    std::string name;
    bool directory = false;
};
struct NamedLayerFile {
    std::string name;
    LayerFileName parts;
};
Result<std::vector<NamedLayerFile>> layer_files(const std::vector<DirectoryEntry>& entries, bool nested);

}  // namespace pgherd::supervise
