#include "ha/slots.h"

#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::ha {

std::string slot_name(const MemberName& member) {
    std::string name;
    for (char c : to_lower(member.text())) {
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
            name += c;
        else if (c == '-' || c == '.')
            name += '_';
        else
            name += fmt::format("u{:04x}", static_cast<unsigned char>(c));
    }
    return name.substr(0, 63);
}

namespace {

// A member that streams from another standby has its slot there.
bool streams_from_me(const Member& member, const SlotInput& input) {
    if (member.tags.nostream) return false;
    const MemberName& source = member.tags.replicatefrom;
    if (source.empty() || source == member.name || !input.cluster->member(source))
        return input.primary || input.may_lead;
    return source == input.self;
}

}  // namespace

std::map<std::string, Lsn> wanted_slots(const SlotInput& input) {
    std::map<std::string, Lsn> wanted;
    if (!input.config->use_slots) return wanted;
    auto position = [&](const std::string& slot) {
        if (input.primary) return Lsn{};
        auto published = input.cluster->status.slots.find(slot);
        return published == input.cluster->status.slots.end() ? Lsn{} : published->second;
    };
    auto want = [&](const std::string& slot) {
        Lsn at = position(slot);
        // A standby cannot make a slot for WAL that it does not know to be needed.
        if (input.primary || at.valid()) wanted[slot] = at;
    };
    for (const auto& [name, member] : input.cluster->members)
        if (name != input.self && streams_from_me(member, input)) want(slot_name(name));
    for (const auto& [name, since] : input.gone)
        if (name != input.self && input.now - since < input.config->member_slots_ttl) want(slot_name(name));
    for (const auto& [name, spec] : input.config->slots)
        if (!spec.logical && name != slot_name(input.self)) want(name);
    return wanted;
}

}  // namespace pgherd::ha
