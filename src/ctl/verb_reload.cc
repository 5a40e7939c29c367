// reload: members read their configuration files again.

#include "base/text.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

bool reload_member(Context& context, const Member& member, const ClusterView& view) {
    auto answer = context.remote.call(member, {"POST", "reload", ""});
    const std::string& name = member.name.text();
    Duration loop_wait = view.config ? view.config->loop_wait : Duration(std::chrono::seconds(10));
    if (!answer)
        context.terminal.complain(
            fmt::format("Failed: reload for member {}: {}", name, answer.error().message));
    else if (answer->status == 200)
        context.say("No changes to apply on member {}", name);
    else if (answer->status == 202)
        context.say("Reload request received for member {} and will be processed within {} seconds", name,
                    loop_wait / std::chrono::seconds(1));
    else
        context.terminal.complain(fmt::format("Failed: reload for member {}, status code={}, ({})", name,
                                              answer->status, answer->body));
    return answer && answer->status < 300;
}

Status reload(Context& context, const MemberChoice& choice) {
    PGHERD_TRY(auto loaded, context.remote.load());
    PGHERD_TRY(auto members, choose_members(context, loaded.view, choice, "reload"));
    if (!choice.force)
        PGHERD_CHECK(confirm(context.terminal,
                             fmt::format("Are you sure you want to reload members {}?", listed(members)),
                             "reload"));
    std::size_t failures = 0;
    for (const Member* member : members) failures += reload_member(context, *member, loaded.view) ? 0 : 1;
    if (failures > 0)
        return fail(fmt::format("{} of {} members did not take the reload", failures, members.size()));
    return {};
}

}  // namespace

void add_reload(CommandLine& line) {
    auto choice = std::make_shared<MemberChoice>();
    VerbLine verb = line.member_verb("reload", "Have members read their configuration again", choice->names);
    verb.role(choice->role);
    verb.flag("--force", choice->force, "Ask nothing");
    verb.runs([choice](Context& context) { return reload(context, *choice); });
}

}  // namespace pgherd::ctl
