#include "ha/slots.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "base/text.h"
#include "base/utf8.h"

namespace pgherd::ha {

namespace {

// Of the first character; a byte that begins none stands for itself.
std::uint32_t number_of(std::string_view text) {
    return utf8_length(text) > 0 ? static_cast<std::uint32_t>(utf8_code_point(text))
                                 : static_cast<unsigned char>(text.front());
}

}  // namespace

std::string slot_name(const MemberName& member) {
    const std::string lower = to_lower(member.text());
    std::string name;
    for (std::string_view left = lower; !left.empty();) {
        const char c = left.front();
        const std::size_t length = std::max<std::size_t>(utf8_length(left), 1);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
            name += c;
        else if (c == '-' || c == '.')
            name += '_';
        else
            name += fmt::format("u{:04}", number_of(left));
        left.remove_prefix(length);
    }
    return name.substr(0, 63);
}

namespace {

// Empty: from whoever leads.
MemberName source_of(const Member& member, const ClusterView& cluster) {
    const MemberName& source = member.tags.replicatefrom;
    return source == member.name || !cluster.member(source) ? MemberName() : source;
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
    // For the case that this member leads one day; until then only the leader tells which WAL is needed.
    auto want = [&](const std::string& slot) {
        Lsn at = position(slot);
        if (input.primary || at.valid()) wanted[slot] = at;
    };
    for (const auto& [name, member] : input.cluster->members) {
        if (name == input.self || member.tags.nostream) continue;
        const MemberName source = source_of(member, *input.cluster);
        // Who streams from here, whatever this member is, needs its slot here and has none elsewhere.
        if (source == input.self) wanted[slot_name(name)] = Lsn{};
        if (source.empty() && (input.primary || input.may_lead)) want(slot_name(name));
    }
    for (const auto& [name, since] : input.gone)
        if (name != input.self && input.now - since < input.config->member_slots_ttl) want(slot_name(name));
    for (const auto& [name, spec] : input.config->slots)
        if (!spec.logical && name != slot_name(input.self)) want(name);
    return wanted;
}

}  // namespace pgherd::ha
