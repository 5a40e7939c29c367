// restart: PostgreSQL of some members, now, at a given time, or only where it is due.

#include "base/text.h"
#include "codec/json.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

constexpr Duration kPatience =
    std::chrono::minutes(10);  // a server may take its time to shut down and recover

struct Options {
    MemberChoice members;
    bool any = false;
    std::string scheduled;
    std::string version;
    bool pending = false;
    std::string timeout;
};

Status ask_details(Context& context, Options& options) {
    if (options.members.force) return {};
    if (options.scheduled.empty()) {
        PGHERD_TRY(options.scheduled,
                   ask(context.terminal, "When should the restart take place (a time with its zone)", "now"));
    }
    if (options.version.empty()) {
        PGHERD_TRY(
            options.version,
            ask(context.terminal, "Restart if the PostgreSQL version is less than provided (e.g. 15.3)", ""));
    }
    return {};
}

Status ask_whether(Context& context, const Options& options, const std::vector<const Member*>& members,
                   const std::optional<WallTime>& at) {
    if (options.members.force) return {};
    if (at && options.pending)
        return confirm(context.terminal,
                       "Which members need a restart is decided at the scheduled time. Is this fine?",
                       "restart");
    return confirm(context.terminal,
                   at ? fmt::format("Are you sure you want to schedule restart of members {} at {}?",
                                    listed(members), to_iso(*at))
                      : fmt::format("Are you sure you want to restart members {}?", listed(members)),
                   "restart");
}

// True when the member did what it was asked.
bool restart_member(Context& context, const Member& member, const JsonObject& body, bool force) {
    if (body.contains("schedule") && force && member.scheduled_restart)
        (void)context.remote.call(member, {"DELETE", "restart", "", std::chrono::seconds(10)});
    auto answer = context.remote.call(member, {"POST", "restart", to_text(body), kPatience});
    const std::string& name = member.name.text();
    if (!answer)
        context.terminal.complain(fmt::format("Failed: restart for member {}: {}{}", name,
                                              answer.error().message,
                                              answer.error().maybe_done() ? " (it may be restarting)" : ""));
    else if (answer->status == 200)
        context.say("Success: restart on member {}", name);
    else if (answer->status == 202)
        context.say("Success: restart scheduled on member {}", name);
    else if (answer->status == 409)
        context.terminal.complain(
            fmt::format("Failed: another restart is already scheduled on member {}; `flush` it first", name));
    else
        context.terminal.complain(fmt::format("Failed: restart for member {}, status code={}, ({})", name,
                                              answer->status, answer->body));
    return answer && answer->status < 300;
}

Status restart(Context& context, Options options) {
    PGHERD_TRY(auto loaded, context.remote.load());
    PGHERD_TRY(auto members, choose_members(context, loaded.view, options.members, "restart"));
    PGHERD_CHECK(ask_details(context, options));
    PGHERD_TRY(auto at, parse_scheduled(options.scheduled));
    if (at && loaded.view.config && loaded.view.config->pause)
        return fail("a restart cannot be scheduled while the cluster is paused");
    // Who needs a scheduled restart is seen then.
    if (options.pending && !at)
        std::erase_if(members, [](const Member* member) { return !member->pending_restart; });
    if (options.any && members.size() > 1) members.resize(1);
    if (members.empty()) {
        context.say("No member needs a restart");
        return {};
    }
    PGHERD_CHECK(ask_whether(context, options, members, at));

    JsonObject body;
    if (options.pending) body["restart_pending"] = true;
    if (!options.version.empty()) body["postgres_version"] = options.version;
    if (at) body["schedule"] = to_iso(*at);
    if (!options.timeout.empty()) body["timeout"] = options.timeout;
    std::size_t failures = 0;
    for (const Member* member : members)
        failures += restart_member(context, *member, body, options.members.force) ? 0 : 1;
    if (failures > 0)
        return fail(fmt::format("{} of {} members did not do the restart", failures, members.size()));
    return {};
}

}  // namespace

void add_restart(CommandLine& line) {
    auto options = std::make_shared<Options>();
    VerbLine verb = line.member_verb("restart", "Restart PostgreSQL of members, now or at a given time",
                                     options->members.names);
    verb.role(options->members.role);
    verb.flag("--any", options->any, "Only one of them");
    verb.text("--scheduled", options->scheduled, "When: a time with its zone, or now", "TIME");
    verb.text("--pg-version", options->version, "Only where PostgreSQL is older than this", "VERSION");
    verb.flag("--pending", options->pending, "Only where a restart is pending");
    verb.text("--timeout", options->timeout, "A leader that takes longer loses its place", "TIME");
    verb.flag("--force", options->members.force, "Ask nothing");
    verb.runs([options](Context& context) { return restart(context, *options); });
}

}  // namespace pgherd::ctl
