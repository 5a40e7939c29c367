#include "rollout/rollout.h"

#include <algorithm>

#include <fmt/format.h>

namespace pgherd::rollout {
namespace {

using Pods = std::vector<PodFacts>;

// The last one by name that fits: the order in which a StatefulSet goes.
template <class Condition>
const PodFacts* last(const Pods& pods, Condition condition) {
    const auto found = std::find_if(pods.rbegin(), pods.rend(), condition);
    return found == pods.rend() ? nullptr : &*found;
}

Step wait(std::string why) {
    return {Nothing{}, std::move(why), false};
}

}  // namespace

Step next_step(const Facts& facts) {
    if (!last(facts.pods, [](const PodFacts& pod) { return !pod.updated; }))
        return {Nothing{}, "every pod is as it should be", true};
    if (facts.paused) return {Nothing{}, "the cluster is paused", true};
    if (const PodFacts* pod = last(facts.pods, [](const PodFacts& p) { return p.leaving; }))
        return wait(fmt::format("{} is being replaced", pod->name.text()));
    // What the change is to mend must not hold it up.
    if (const PodFacts* broken =
            last(facts.pods, [](const PodFacts& p) { return !p.updated && !p.well && !p.leads; }))
        return {Replace{broken->name},
                fmt::format("{} is not well and has the old template", broken->name.text()), false};
    if (const PodFacts* pod = last(facts.pods, [](const PodFacts& p) { return !p.well; }))
        return wait(fmt::format("{} is not at full strength yet", pod->name.text()));
    if (static_cast<int>(facts.pods.size()) < facts.wanted)
        return wait(fmt::format("{} of {} pods are there", facts.pods.size(), facts.wanted));
    if (const PodFacts* standby = last(facts.pods, [](const PodFacts& p) { return !p.updated && !p.leads; }))
        return {Replace{standby->name}, fmt::format("standby {} is next", standby->name.text()), false};
    const PodFacts* leader = last(facts.pods, [](const PodFacts& p) { return p.leads; });
    if (facts.pods.size() == 1)
        return {Replace{leader->name}, fmt::format("{} is alone", leader->name.text()), false};
    if (const PodFacts* successor =
            last(facts.pods, [](const PodFacts& p) { return !p.leads && p.can_lead; }))
        return {Switchover{successor->name},
                fmt::format("{} takes over from {}, which is the last", successor->name.text(),
                            leader->name.text()),
                false};
    return wait("no standby can take over from the primary yet");
}

}  // namespace pgherd::rollout
