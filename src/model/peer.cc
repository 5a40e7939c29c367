#include "model/peer.h"

#include <type_traits>

#include <fmt/format.h>

namespace pgherd {

bool PeerIdentity::may_be(const PeerIdentity& other) const {
    auto agree = [](const auto& mine, const auto& theirs) {
        const std::decay_t<decltype(mine)> unknown{};
        return mine == unknown || theirs == unknown || mine == theirs;
    };
    return agree(name, other.name) && agree(scope, other.scope) && agree(system_id, other.system_id);
}

std::string to_string(const PeerIdentity& identity) {
    std::string text = fmt::format("\"{}\" of the cluster \"{}\"", identity.name.text(), identity.scope);
    if (identity.system_id != SystemId()) text += fmt::format(" (system id {})", identity.system_id.value());
    return text;
}

}  // namespace pgherd
