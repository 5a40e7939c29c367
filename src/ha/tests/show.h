// Decisions as text, for the decision tables in testdata/ and for failing properties.
#pragma once

#include <map>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "world.h"

namespace pgherd::ha::testing {

inline std::string show(Instant when) {
    return fmt::format("{:g}", double(when.time_since_epoch().count()) / 1e9);
}
inline std::string show(bool value) {
    return value ? "yes" : "no";
}
inline std::string show(int value) {
    return std::to_string(value);
}
inline std::string show(const Revision& value) {
    return std::to_string(value.value());
}
inline std::string show(const MemberName& name) {
    return name.empty() ? "anybody" : name.text();
}
inline std::string show(Memory::Rewind value) {
    for (const auto& [name, known] : rewinds())
        if (known == value) return name;
    return "?";
}
template <class T>
std::string show(const std::optional<T>& value) {
    return value ? show(*value) : "none";
}

inline std::string show(const std::vector<MemberName>& list) {
    std::vector<std::string> texts;
    for (const MemberName& name : list) texts.push_back(name.text());
    return join(texts, ",");
}

inline std::string_view show(StopKind kind) {
    switch (kind) {
        case StopKind::graceful: return "graceful";
        case StopKind::offline: return "offline";
        case StopKind::immediate: return "immediate";
        case StopKind::standby: return "standby";
    }
    return "?";
}

struct ShowAction {
    std::string operator()(const AcquireLock&) const { return "AcquireLock"; }
    std::string operator()(const RenewLock&) const { return "RenewLock"; }
    std::string operator()(const ReleaseLock&) const { return "ReleaseLock"; }
    std::string operator()(const TakeInitialize&) const { return "TakeInitialize"; }
    std::string operator()(const WriteInitialize& a) const {
        return fmt::format("WriteInitialize({})", a.id.value());
    }
    std::string operator()(const DropInitialize&) const { return "DropInitialize"; }
    std::string operator()(const WriteConfig&) const { return "WriteConfig"; }
    std::string operator()(const ClearRequest& a) const {
        return fmt::format("ClearRequest({})", a.modified.value());
    }
    std::string operator()(const WriteSync& a) const {
        return fmt::format("WriteSync(leader={} standbys={} quorum={})", a.record.leader.text(),
                           show(a.record.standbys), a.record.quorum);
    }
    std::string operator()(const AskPeers& a) const { return fmt::format("AskPeers({})", show(a.members)); }
    std::string operator()(const AskFailsafe& a) const {
        return fmt::format("AskFailsafe({})", show(a.members));
    }
    std::string operator()(const AskUpstream& a) const {
        return fmt::format("AskUpstream({})", a.member.text());
    }
    std::string operator()(const Bootstrap&) const { return "Bootstrap"; }
    std::string operator()(const Clone& a) const { return fmt::format("Clone({})", a.source.text()); }
    std::string operator()(const StartPrimary&) const { return "StartPrimary"; }
    std::string operator()(const StartStandby& a) const {
        return fmt::format("StartStandby({})", a.upstream.text());
    }
    std::string operator()(const Stop& a) const { return fmt::format("Stop({})", show(a.kind)); }
    std::string operator()(const Promote& a) const { return fmt::format("Promote({})", a.timeline.value); }
    std::string operator()(const ClaimTimeline& a) const {
        return fmt::format("ClaimTimeline({})", a.timeline.value);
    }
    std::string operator()(const Follow& a) const { return fmt::format("Follow({})", a.upstream.text()); }
    std::string operator()(const Rewind& a) const { return fmt::format("Rewind({})", a.source.text()); }
    std::string operator()(const Quarantine&) const { return "Quarantine"; }
    std::string operator()(const Checkpoint&) const { return "Checkpoint"; }
    std::string operator()(const SetSynchronousStandbyNames& a) const {
        return fmt::format("SetNames({})", a.names);
    }
    std::string operator()(const Exit&) const { return "Exit"; }
};

inline std::string show(const std::vector<Action>& actions) {
    std::vector<std::string> texts;
    for (const Action& action : actions) texts.push_back(std::visit(ShowAction{}, action));
    return texts.empty() ? "nothing" : join(texts, " ");
}

inline std::map<std::string, std::string> show_fields(const Memory& m) {
    return {{"rewind", show(m.rewind)},
            {"rewind_for", show(m.rewind_for)},
            {"bootstrapping", show(m.bootstrapping)},
            {"was_primary", show(m.was_primary)},
            {"recovering_since", show(m.recovering_since)},
            {"mute_since", show(m.mute_since)},
            {"unfit", show(m.unfit)},
            {"failed_starts", show(m.failed_starts)},
            {"failed_clones", show(m.failed_clones)},
            {"failed_bootstraps", show(m.failed_bootstraps)},
            {"failed_rewinds", show(m.failed_rewinds)},
            {"retry_after", show(m.retry_after)},
            {"unlocked_since", show(m.unlocked_since)},
            {"claim_used", show(m.claim_used)},
            {"pre_promote_failed", show(m.pre_promote_failed)},
            {"handing_over_to", show(m.handing_over_to)},
            {"handover_released", show(m.handover_released)},
            {"handover_timed_out", show(m.handover_timed_out)},
            {"checkpoint_due", show(m.checkpoint_due)},
            {"resumed", show(m.resumed)},
            {"led", show(m.led)},
            {"seen_initialized", show(m.seen_initialized)},
            {"failsafe_asked", show(m.failsafe_asked)},
            {"finished_seen", show(m.finished_seen)},
            {"request_for", show(m.request_for)},
            {"request_since", show(m.request_since)}};
}

// What is not worth a line in every case.
inline bool is_bookkeeping(const std::string& field) {
    return field == "seen_initialized" || field == "finished_seen" || field == "claim_used" ||
           field == "request_for";
}

inline std::string show_changes(const Memory& before, const Memory& after) {
    auto old = show_fields(before);
    std::vector<std::string> changes;
    for (const auto& [field, value] : show_fields(after))
        if (old[field] != value && !is_bookkeeping(field)) changes.push_back(field + "=" + value);
    return join(changes, " ");
}

inline std::string show(const Decision& decision, const Memory& before) {
    std::string text = fmt::format("rule: {}\ndo: {}\n", decision.rule, show(decision.actions));
    for (std::string_view duty : decision.duties) text += fmt::format("duty: {}\n", duty);
    if (std::string changes = show_changes(before, decision.memory); !changes.empty())
        text += "memory: " + changes + "\n";
    if (decision.wake) text += "wake: " + show(*decision.wake) + "\n";
    if (decision.needs_operator) text += "an operator is needed\n";
    return text;
}

}  // namespace pgherd::ha::testing
