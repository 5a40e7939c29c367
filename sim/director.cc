#include "sim/director.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.h"

namespace pgherd::sim {

namespace {

constexpr std::array<std::string_view, 5> kCast{"first", "second", "third", "fourth", "fifth"};

// On what the judge may conclude from a member's silence.
enum class Effect { none, disturbs, calms };

struct Verb {
    std::string_view name;
    std::size_t names;
    Effect effect;
    void (*perform)(Director&, const Director::Names&);
};

using Names = Director::Names;

constexpr Verb kVerbs[] = {
    {"cut", 2, Effect::disturbs, [](Director& d, const Names& n) { d.cut(n); }},
    {"heal", 2, Effect::calms, [](Director& d, const Names& n) { d.heal(n); }},
    {"isolate", 1, Effect::disturbs, [](Director& d, const Names& n) { d.isolate(n); }},
    {"power-off", 1, Effect::disturbs, [](Director& d, const Names& n) { d.member(n[0]).power_off(); }},
    {"power-on", 1, Effect::calms, [](Director& d, const Names& n) { d.member(n[0]).power_on(); }},
    {"shut-down", 1, Effect::disturbs, [](Director& d, const Names& n) { d.member(n[0]).shut_down(); }},
    {"ended", 1, Effect::none, [](Director& d, const Names& n) { d.check_ended(n[0]); }},
    {"kill-postmaster", 1, Effect::disturbs,
     [](Director& d, const Names& n) { d.member(n[0]).server().kill_postmaster(); }},
    {"kill-brain", 1, Effect::disturbs, [](Director& d, const Names& n) { d.member(n[0]).kill_brain(); }},
    {"kill-guard", 1, Effect::disturbs, [](Director& d, const Names& n) { d.member(n[0]).kill_guard(); }},
    {"stop-brain", 1, Effect::disturbs, [](Director& d, const Names& n) { d.member(n[0]).stop_brain(); }},
    {"continue-brain", 1, Effect::calms,
     [](Director& d, const Names& n) { d.member(n[0]).continue_brain(); }},
    {"pause", 1, Effect::none, [](Director& d, const Names& n) { d.config(n[0], {{"pause", true}}); }},
    {"resume", 1, Effect::none, [](Director& d, const Names& n) { d.config(n[0], {{"pause", nullptr}}); }},
    {"synchronous", 2, Effect::none,
     [](Director& d, const Names& n) { d.config(n[0], {{"synchronous_mode", n[1] == "on"}}); }},
    {"switchover", 1, Effect::none, [](Director& d, const Names& n) { d.switchover(n[0]); }},
    {"restart", 1, Effect::none, [](Director& d, const Names& n) { d.restart(n[0]); }},
    {"reinitialize", 1, Effect::none, [](Director& d, const Names& n) { d.reinitialize(n[0]); }},
    {"failover", 1, Effect::none, [](Director& d, const Names& n) { d.failover(n[0]); }},
    {"writes", 1, Effect::none, [](Director& d, const Names& n) { d.check_writes(n[0]); }},
    {"delete", 1, Effect::none, [](Director& d, const Names& n) { d.remove(n[0]); }},
    {"lose-disk", 1, Effect::disturbs,
     [](Director& d, const Names& n) {
         d.member(n[0]).change_disk([](Server& server) { server.lose_disk(); });
     }},
    {"other-system", 1, Effect::disturbs,
     [](Director& d, const Names& n) {
         d.member(n[0]).change_disk([](Server& server) { server.put_disk_of_another_system(); });
     }},
    {"foreign-directory", 1, Effect::disturbs,
     [](Director& d, const Names& n) {
         d.member(n[0]).change_disk([](Server& server) { server.put_foreign_directory(); });
     }},
    {"blind", 1, Effect::none, [](Director& d, const Names& n) { d.member(n[0]).server().blind(true); }},
    {"sighted", 1, Effect::none, [](Director& d, const Names& n) { d.member(n[0]).server().blind(false); }},
    {"watchdog-missing", 1, Effect::disturbs,
     [](Director& d, const Names& n) { d.member(n[0]).server().refuse_deadlines(true); }},
    {"watchdog-back", 1, Effect::calms,
     [](Director& d, const Names& n) { d.member(n[0]).server().refuse_deadlines(false); }},
    {"stall-watch", 1, Effect::none, [](Director& d, const Names& n) { d.stall_watch(n[0]); }},
    {"read-only", 1, Effect::disturbs, [](Director& d, const Names& n) { d.let_write(n[0], false); }},
    {"writable", 1, Effect::calms, [](Director& d, const Names& n) { d.let_write(n[0], true); }},
    {"take-address", 2, Effect::disturbs, [](Director& d, const Names& n) { d.take_address(n[0], n[1]); }},
    {"fail-next", 1, Effect::none,
     [](Director& d, const Names& n) { d.member(n[0]).server().fail_next_operation(); }},
};

}  // namespace

Status check_event(const ScenarioEvent& event) {
    const auto verb = std::ranges::find(kVerbs, event.verb, &Verb::name);
    if (verb == std::end(kVerbs)) return fail("\"" + event.verb + "\" is unknown");
    if (verb->names != event.names.size())
        return fail(fmt::format("{} takes {} names", event.verb, verb->names));
    return {};
}

void Director::start() {
    const auto leader = cluster_.judge.leader();
    PGHERD_ASSERT(leader.has_value(), "a scenario begins with a leader");
    cast_.push_back(static_cast<std::size_t>(*leader));
    for (std::size_t i = 0; i < cluster_.members.size(); ++i)
        if (i != cast_.front()) cast_.push_back(i);
    for (const auto& event : scenario_.events)
        if (event.at) cluster_.world.clock.after(*event.at, [this, &event] { perform(event); });
    cluster_.judge.on_promoting = [this](int promoting) {
        new_leader_ = static_cast<std::size_t>(promoting);
        // Not from inside the model.
        for (const auto& event : scenario_.events)
            if (!event.at) cluster_.world.clock.after({}, [this, &event] { perform(event); });
    };
    cluster_.world.clock.after(scenario_.until, [this] { cluster_.judge.on_promoting = nullptr; });
}

std::size_t Director::index(const std::string& name) const {
    if (name == "store") return cluster_.members.size();
    if (name == "new") return new_leader_;
    if (name == "synchronous" || name == "asynchronous") {
        for (const auto member : cast_)
            if (member != cast_.front() &&
                synchronous_.contains(MemberName(cluster_.members[member]->server().name())) ==
                    (name == "synchronous"))
                return member;
        PGHERD_ASSERT(false, "no such member in the synchronous set");
    }
    const auto role = static_cast<std::size_t>(std::ranges::find(kCast, name) - kCast.begin());
    PGHERD_ASSERT(role < cast_.size(), "no such member in this scenario");
    return cast_[role];
}

void Director::perform(const ScenarioEvent& event) {
    if (synchronous_.standbys.empty()) synchronous_ = cluster_.judge.synchronous();
    cluster_.world.trace.note(Trace::kNobody, "SCENARIO", event.names.size(), [&] {
        std::string text = event.verb;
        for (const auto& name : event.names) text += " " + name;
        return text;
    });
    const Verb& verb = *std::ranges::find(kVerbs, event.verb, &Verb::name);
    verb.perform(*this, event.names);
    if (verb.effect == Effect::none) return;
    for (const auto& name : event.names)
        if (const auto at = index(name); at < cluster_.members.size()) {
            if (verb.effect == Effect::disturbs)
                cluster_.judge.disturbed(static_cast<int>(at));
            else
                cluster_.judge.calm(static_cast<int>(at));
        }
}

void Director::cut(const Names& names) {
    const int a = static_cast<int>(index(names[0])), b = static_cast<int>(index(names[1]));
    cluster_.world.network.cut(a, b);
    cluster_.world.network.cut(b, a);
}

void Director::heal(const Names& names) {
    const int a = static_cast<int>(index(names[0])), b = static_cast<int>(index(names[1]));
    cluster_.world.network.heal(a, b);
    cluster_.world.network.heal(b, a);
}

void Director::isolate(const Names& names) {
    for (std::size_t i = 1; i < cast_.size(); ++i)
        if (index(names[0]) != cast_[i]) cut({names[0], std::string(kCast[i])});
    if (index(names[0]) != cast_[0]) cut({names[0], "first"});
    cut({names[0], "store"});
}

void Director::config(const std::string& at, JsonObject patch) {
    faults_.request(static_cast<int>(index(at)), "PATCH", "/config", patch);
}

void Director::remove(const std::string& key) {
    const auto& stalled = cluster_.health.watch_stalled_until;
    if (key == "leader") cluster_.judge.lock_deleted(stalled.empty());
    static_cast<void>(store_.swap({key, Always{}, std::nullopt, {}}));
}

void Director::stall_watch(const std::string& name) {
    auto& until = cluster_.health.watch_stalled_until;
    until.resize(cluster_.members.size());
    until[index(name)] = Instant::max();
}

void Director::let_write(const std::string& name, bool may) {
    auto& readers = cluster_.health.readers;
    if (may)
        readers.erase(static_cast<int>(index(name)));
    else
        readers.insert(static_cast<int>(index(name)));
}

void Director::take_address(const std::string& of, const std::string& by) {
    cluster_.world.network.give_address(static_cast<int>(index(of)), static_cast<int>(index(by)));
}

void Director::failover(const std::string& candidate) {
    const auto i = static_cast<int>(index(candidate));
    faults_.request(i, "POST", "/failover", {{"candidate", member(candidate).server().name()}});
}

void Director::check_writes(const std::string& name) {
    const auto i = static_cast<int>(index(name));
    const bool lately =
        cluster_.world.clock.now() - cluster_.judge.last_acknowledged(i) <= std::chrono::seconds(2);
    if (!lately || !member(name).server().writable())
        cluster_.judge.violation("who may go on goes on", member(name).server().name() + " takes no writes");
}

void Director::check_ended(const std::string& name) {
    if (member(name).on())
        cluster_.judge.violation("who is told to end ends", member(name).server().name() + " lives on");
}

void Director::reinitialize(const std::string& at) {
    faults_.request(static_cast<int>(index(at)), "POST", "/reinitialize", {});
}

void Director::restart(const std::string& at) {
    faults_.request(static_cast<int>(index(at)), "POST", "/restart", {});
}

void Director::switchover(const std::string& at) {
    const auto leader = cluster_.judge.leader();
    if (leader)
        faults_.request(static_cast<int>(index(at)), "POST", "/switchover",
                        {{"leader", cluster_.members[static_cast<std::size_t>(*leader)]->server().name()}});
}

}  // namespace pgherd::sim
