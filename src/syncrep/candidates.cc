#include "syncrep/candidates.h"

#include <algorithm>

#include "base/text.h"

namespace pgherd::syncrep {

namespace {

const Member* find_member(const Input& input, std::string_view application) {
    for (const auto& [name, member] : *input.members)
        if (iequals(name.text(), application)) return &member;
    return nullptr;
}

bool connected(const Input& input, const MemberName& name) {
    return std::ranges::any_of(input.pg->replication, [&](const ReplicationRow& row) {
        return iequals(row.application_name, name.text());
    });
}

bool suitable(const Input& input, const ReplicationRow& row, const Member* member) {
    if (!member || member->name == input.self || row.state != "streaming" || !row.flush_lsn.valid())
        return false;
    if (!member->running() || !member->tags.may_sync()) return false;
    // It is about to stream from another standby; what it acknowledges here ends any moment.
    const MemberName& source = member->tags.replicatefrom;
    return source.empty() || source == input.self || !connected(input, source);
}

int standing(const ReplicationRow& row) {
    if (row.sync_state == "sync" || row.sync_state == "quorum") return 2;
    return row.sync_state == "potential" ? 1 : 0;
}

bool better(const Candidate& a, const Candidate& b) {
    if (a.priority != b.priority) return a.priority > b.priority;
    if (a.standing != b.standing) return a.standing > b.standing;
    if (a.flushed != b.flushed) return a.flushed > b.flushed;
    return a.name < b.name;
}

}  // namespace

std::vector<Candidate> candidates(const Input& input) {
    std::vector<Candidate> found;
    Lsn best;
    for (const ReplicationRow& row : input.pg->replication) {
        const Member* member = find_member(input, row.application_name);
        if (!suitable(input, row, member)) continue;
        bool twice =
            std::ranges::any_of(found, [&](const Candidate& other) { return other.name == member->name; });
        if (twice) continue;
        found.push_back({member->name, member->tags.sync_priority.value_or(1), standing(row), row.flush_lsn});
        best = std::max(best, row.flush_lsn);
    }
    if (std::int64_t limit = input.config->maximum_lag_on_syncnode; limit >= 0)
        std::erase_if(
            found, [&](const Candidate& c) { return bytes_between(c.flushed, best) > std::uint64_t(limit); });
    std::ranges::sort(found, better);
    return found;
}

}  // namespace pgherd::syncrep
