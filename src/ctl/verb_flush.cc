// flush: takes back what was scheduled.

#include "base/text.h"
#include "codec/records.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

Status flush_restarts(Context& context, const ClusterView& view, const MemberChoice& choice) {
    PGHERD_TRY(auto members, choose_members(context, view, choice, "flush"));
    if (!choice.force)
        PGHERD_CHECK(confirm(context.terminal,
                             fmt::format("Are you sure you want to flush members {}?", listed(members)),
                             "flush"));
    std::size_t failures = 0;
    for (const Member* member : members) {
        const std::string& name = member->name.text();
        if (!member->scheduled_restart) {
            context.say("No scheduled restart for member {}", name);
            continue;
        }
        auto answer = context.remote.call(*member, {"DELETE", "restart", ""});
        if (answer && answer->status < 400) {
            context.say("Success: flush scheduled restart for member {}", name);
            continue;
        }
        ++failures;
        context.terminal.complain(fmt::format("Failed: flush scheduled restart for member {}: {}", name,
                                              answer ? answer->body : answer.error().message));
    }
    if (failures > 0)
        return fail(
            fmt::format("{} of {} members did not flush their scheduled restart", failures, members.size()));
    return {};
}

Status flush_switchover(Context& context, const Loaded& loaded) {
    if (!loaded.view.failover || !loaded.view.failover->scheduled_at) {
        context.say("No pending scheduled switchover");
        return {};
    }
    for (const Member* member : leader_first(loaded.view)) {
        auto answer = context.remote.call(*member, {"DELETE", "switchover", ""});
        if (!answer) {
            context.terminal.complain(answer.error().message);
            continue;
        }
        if (answer->status != 200)
            return fail(fmt::format("cannot flush the switchover: {} ({})", answer->body, answer->status));
        context.say("Success: {}", answer->body);
        return {};
    }
    context.terminal.complain("no member answers; the store is changed directly");
    const Record* record = loaded.record("failover");
    auto written = context.remote.swap(
        {.key = "failover", .expect = IfRevision{record->modified}, .value = write_failover({})});
    if (!written)
        return std::unexpected(with_context(written.error(), "cannot take back the scheduled switchover"));
    context.say("Success: scheduled switchover deleted");
    return {};
}

Status flush(Context& context, MemberChoice choice) {
    if (choice.names.empty() || (choice.names.back() != "restart" && choice.names.back() != "switchover"))
        return fail(ErrorCode::invalid,
                    "say what to flush: `flush [MEMBER...] restart` or `flush switchover`");
    std::string target = choice.names.back();
    choice.names.pop_back();
    PGHERD_TRY(auto loaded, context.remote.load());
    return target == "restart" ? flush_restarts(context, loaded.view, choice)
                               : flush_switchover(context, loaded);
}

}  // namespace

void add_flush(CommandLine& line) {
    auto choice = std::make_shared<MemberChoice>();
    VerbLine verb = line.member_verb(
        "flush",
        "Take back scheduled restarts or the scheduled switchover: `flush [MEMBER...] restart|switchover`",
        choice->names);
    verb.role(choice->role);
    verb.flag("--force", choice->force, "Ask nothing");
    verb.runs([choice](Context& context) { return flush(context, *choice); });
}

}  // namespace pgherd::ctl
