#include "syncrep/syncrep.h"

#include <algorithm>

#include "syncrep/candidates.h"

namespace pgherd::syncrep {

namespace {

using Names = std::vector<MemberName>;

// Matches no standby: in strict mode commits wait for one to come.
constexpr std::string_view kPlaceholder = "__pgherd_strict_sync_replica_placeholder__";

Names intersect(const Names& a, const Names& b) {
    Names both;
    std::ranges::set_intersection(a, b, std::back_inserter(both));
    return both;
}
Names unite(const Names& a, const Names& b) {
    Names all;
    std::ranges::set_union(a, b, std::back_inserter(all));
    return all;
}
int size(const Names& names) {
    return int(names.size());
}

SwapRecord swap(const Input& input, Names standbys, int quorum = 0) {
    return {SyncRecord{.leader = input.self,
                       .quorum = quorum,
                       .standbys = std::move(standbys),
                       .modified = input.record->modified}};
}

SetNames set(SyncNames names) {
    return {render_names(names)};
}

SyncNames all_of(Names names) {
    if (names.empty()) return {};
    int count = size(names);
    return {.method = SyncNames::Method::first, .count = count, .names = std::move(names)};
}

SyncNames any_of(int count, Names names) {
    if (names.empty() || count == 0) return {};
    return {.method = SyncNames::Method::any, .count = count, .names = std::move(names)};
}

Names wanted_names(const std::vector<Candidate>& best, std::size_t limit) {
    Names names;
    for (const Candidate& candidate : best)
        if (names.size() < limit) names.push_back(candidate.name);
    std::ranges::sort(names);
    return names;
}

// Those of `names` that have flushed what was there when the current setting took effect.
Names caught_up(const Input& input, const std::vector<Candidate>& best, const Names& names) {
    Names confirmed;
    for (const Candidate& candidate : best)
        if (input.noted_lsn && candidate.flushed >= *input.noted_lsn &&
            std::ranges::binary_search(names, candidate.name))
            confirmed.push_back(candidate.name);
    std::ranges::sort(confirmed);
    return confirmed;
}

Step step_off(const Input& input) {
    if (!input.record->empty() || !input.record->standbys.empty())
        return SwapRecord{
            SyncRecord{.leader = {}, .quorum = 0, .standbys = {}, .modified = input.record->modified}};
    if (input.pg->synchronous_standby_names != input.user_names) return SetNames{input.user_names};
    return Done{};
}

// Strict mode without a standby: what is promised stays promised, and nothing is acknowledged alone.
Step step_strict(const SyncNames& now, const Names& recorded) {
    if (!recorded.empty() && intersect(recorded, now.names) == recorded)
        return Wait{"no standby streams, commits wait for one"};
    SyncNames placeholder = all_of({MemberName(kPlaceholder)});
    if (now == placeholder) return Wait{"no standby streams, commits wait for one"};
    return set(placeholder);
}

// Every name counts for itself: whoever is in the record has every acknowledged commit.
Step step_on(const Input& input) {
    const SyncRecord& record = *input.record;
    auto best = candidates(input);
    Names wanted = wanted_names(best, std::size_t(std::max(1, input.config->synchronous_node_count)));
    SyncNames now = parse_names(input.pg->synchronous_standby_names);
    // A setting that waits for some of its names promises nothing about each of them.
    Names in_force = now.count == size(now.names) ? now.names : Names{};

    if (record.leader != input.self || record.quorum != 0) return swap(input, {});
    if (wanted.empty() && input.config->synchronous_mode_strict) {
        Names kept = intersect(record.standbys, in_force);
        return kept == record.standbys ? step_strict(now, record.standbys) : swap(input, kept);
    }
    Names kept = intersect(intersect(record.standbys, wanted), in_force);
    if (kept != record.standbys) return swap(input, kept);
    if (now != all_of(wanted)) return set(all_of(wanted));
    if (kept == wanted) return Done{};
    if (!input.noted_lsn) return set(all_of(wanted));
    Names confirmed = unite(kept, caught_up(input, best, wanted));
    if (confirmed != kept) return swap(input, confirmed);
    return Wait{"standbys have not caught up yet"};
}

// Any `count` of the names acknowledge; `quorum` + 1 of the voters must be seen to take over. They always
// meet when count + quorum >= size of (voters ∪ names). See the header for why a record changes only after
// the setting has caught up.
struct Quorum {
    const Input& input;
    const SyncRecord& record = *input.record;
    SyncNames now = parse_names(input.pg->synchronous_standby_names);
    std::vector<Candidate> best = candidates(input);
    Names wanted = wanted_names(best, best.size());
    int count = std::min(std::max(1, input.config->synchronous_node_count), size(wanted));

    // A record that asks for more than the old one, and goes with the wanted setting.
    SwapRecord loosen() const {
        Names remaining = intersect(record.standbys, wanted);
        if (count + record.quorum >= size(wanted) && size(remaining) > record.quorum)
            return swap(input, remaining, record.quorum);
        Names all = unite(record.standbys, wanted);
        int added = size(all) - size(record.standbys);
        return swap(input, all, std::max(record.quorum + added, size(all) - count));
    }

    Step next() const {
        if (record.leader != input.self) return swap(input, {});
        if (wanted.empty()) {
            if (input.config->synchronous_mode_strict) return step_strict(now, record.standbys);
            if (!record.standbys.empty()) return swap(input, {});
            return now == SyncNames{} ? Step{Done{}} : Step{set({})};
        }
        SyncNames target = any_of(count, wanted);
        if (now != target) {
            bool safe =
                record.standbys.empty() || count + record.quorum >= size(unite(record.standbys, wanted));
            return safe ? Step{set(target)} : Step{loosen()};
        }
        int quorum = size(wanted) - count;
        if (record.standbys == wanted && record.quorum == quorum) return Done{};
        if (!input.noted_lsn) return set(target);
        if (size(caught_up(input, best, wanted)) < count) return Wait{"standbys have not caught up yet"};
        return swap(input, wanted, quorum);
    }
};

}  // namespace

SyncNames names_for(const SyncRecord& record, const MemberName& self, const DynamicConfig& config) {
    Names others = record.standbys;
    std::erase(others, self);
    int count = size(others) - record.quorum;
    SyncNames names = record.quorum > 0 || config.synchronous_mode == SynchronousMode::quorum
                          ? any_of(std::max(count, 0), others)
                          : all_of(others);
    bool strict = config.synchronous_mode != SynchronousMode::off && config.synchronous_mode_strict;
    if (names == SyncNames{} && strict) return all_of({MemberName(kPlaceholder)});
    return names;
}

Step next_step(const Input& input) {
    Step step = Done{};
    switch (input.config->synchronous_mode) {
        case SynchronousMode::off: step = step_off(input); break;
        case SynchronousMode::on: step = step_on(input); break;
        case SynchronousMode::quorum: step = Quorum{input}.next(); break;
    }
    // What this record allows, one that comes late may forbid: a confirmed swap first, on which the late one
    // fails. In failsafe mode the record also says whose word keeps this leader.
    bool counts_on_it = std::holds_alternative<SetNames>(step) ||
                        (input.config->failsafe_mode && !input.record->standbys.empty());
    if (input.record_uncertain && counts_on_it && !std::holds_alternative<SwapRecord>(step))
        return SwapRecord{*input.record};
    return step;
}

std::optional<Step> before_promotion(const Input& input) {
    const SyncRecord& record = *input.record;
    if (record.empty()) return std::nullopt;
    if (input.config->synchronous_mode == SynchronousMode::off)
        return SwapRecord{SyncRecord{.leader = {}, .quorum = 0, .standbys = {}, .modified = record.modified}};
    bool quorum = input.config->synchronous_mode == SynchronousMode::quorum;
    if (record.leader != input.self) {
        Names others = record.standbys;
        // Outside the set, nothing is known of what the others lack: only this member may lead from here on.
        bool was_in = std::erase(others, input.self) > 0;
        if (!was_in || (record.quorum > 0 && !quorum)) others.clear();
        return swap(input, others, was_in && quorum ? record.quorum : 0);
    }
    // In force before the first write, so that nothing is acknowledged that the others in the record lack.
    SyncNames target = names_for(record, input.self, *input.config);
    if (parse_names(input.pg->synchronous_standby_names) != target) return set(target);
    return std::nullopt;
}

}  // namespace pgherd::syncrep
