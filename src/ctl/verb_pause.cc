// pause, resume: the cluster is left alone, or managed again.

#include "base/text.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(500);

std::vector<std::string> not_yet(const ClusterView& view, bool pause) {
    std::vector<std::string> names;
    for (const auto& [name, member] : view.members)
        if (!member.api_url.empty() && member.pause != pause) names.push_back(name.text());
    return names;
}

Status wait_for_all(Context& context, bool pause, Duration loop_wait) {
    context.say("'{}' request sent, waiting until it is recognized by all nodes", pause ? "pause" : "resume");
    std::vector<std::string> missing;
    for (Duration waited{}; waited <= loop_wait + std::chrono::seconds(1); waited += kLookEvery) {
        PGHERD_TRY(auto loaded, context.remote.load());
        missing = not_yet(loaded.view, pause);
        if (missing.empty()) return {};
        context.remote.sleep(kLookEvery);
    }
    return fail(fmt::format("{} did not follow within {}", join(missing, ", "), to_text(loop_wait)));
}

Status toggle(Context& context, bool pause, bool wait) {
    PGHERD_TRY(auto loaded, context.remote.load());
    bool paused = loaded.view.config && loaded.view.config->pause;
    if (paused == pause) return fail(pause ? "the cluster is paused already" : "the cluster is not paused");
    Duration loop_wait =
        loaded.view.config ? loaded.view.config->loop_wait : Duration(std::chrono::seconds(10));
    for (const Member* member : leader_first(loaded.view)) {
        auto answer = context.remote.call(
            *member, {"PATCH", "config", pause ? R"({"pause":true})" : R"({"pause":null})"});
        if (!answer) {
            context.terminal.complain(answer.error().message);
            continue;
        }
        if (answer->status != 200)
            return fail(fmt::format("{} cluster management status code={}, ({})", pause ? "pause" : "resume",
                                    answer->status, answer->body));
        if (wait) PGHERD_CHECK(wait_for_all(context, pause, loop_wait));
        context.say("Success: cluster management is {}", pause ? "paused" : "resumed");
        return {};
    }
    return fail("no member of the cluster answers");
}

void add(CommandLine& line, const std::string& name, const std::string& about, bool pause) {
    auto wait = std::make_shared<bool>(false);
    VerbLine verb = line.verb(name, about);
    verb.flag("--wait", *wait, "Until every member has taken it over");
    verb.runs([wait, pause](Context& context) { return toggle(context, pause, *wait); });
}

}  // namespace

void add_pause(CommandLine& line) {
    add(line, "pause", "Stop managing the cluster: no failover, no restart", true);
}
void add_resume(CommandLine& line) {
    add(line, "resume", "Manage the cluster again", false);
}

}  // namespace pgherd::ctl
