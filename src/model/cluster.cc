// Questions to a ClusterView.
#include "model/cluster.h"

#include <algorithm>

namespace pgherd {

bool SyncRecord::contains(const MemberName& name) const {
    return std::ranges::find(standbys, name) != standbys.end();
}

const Member* ClusterView::member(const MemberName& name) const {
    auto found = members.find(name);
    return found == members.end() ? nullptr : &found->second;
}

const Member* ClusterView::leader_member() const {
    return leader ? member(leader->name) : nullptr;
}

}  // namespace pgherd
