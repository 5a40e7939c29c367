// reinit: standbys are made anew, as a copy of another member.

#include "base/text.h"
#include "codec/json.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

constexpr Duration kLookEvery = std::chrono::seconds(1);

struct Options {
    MemberChoice members{.role = RoleFilter::replica, .all_by_default = false};
    bool from_leader = false;
    bool wait = false;
};

bool start(Context& context, const Member& member, const Options& options) {
    JsonObject body{{"force", options.members.force}, {"from_leader", options.from_leader}};
    for (;;) {
        auto answer = context.remote.call(member, {"POST", "reinitialize", to_text(body)});
        if (answer && answer->status < 400) {
            context.say("Success: reinitialize for member {}", member.name.text());
            return true;
        }
        if (!answer) {
            context.terminal.complain(fmt::format("Failed: reinitialize for member {}: {}",
                                                  member.name.text(), answer.error().message));
            return false;
        }
        context.terminal.complain(fmt::format("Failed: reinitialize for member {}, status code={}, ({})",
                                              member.name.text(), answer->status, answer->body));
        if (options.members.force || !answer->body.ends_with("already in progress")) return false;
        if (!confirm(context.terminal, "Do you want to cancel it and reinitialize anyway?", "reinitialize"))
            return false;
        body["force"] = true;
    }
}

// Over when the member says anything else than that it is being copied; one that says nothing may come back.
bool finished(Context& context, const Member& member) {
    auto answer = context.remote.call(member, {"GET", "patroni", ""});
    if (!answer) return false;
    auto status = parse_json_object(answer->body);
    const Json* state = status ? status->if_contains("state") : nullptr;
    return state && *state != Json(to_string(MemberState::creating_replica));
}

void wait_for(Context& context, std::vector<const Member*> members) {
    if (!members.empty()) context.say("Waiting for reinitialize to complete on: {}", listed(members));
    while (!members.empty()) {
        context.remote.sleep(kLookEvery);
        std::erase_if(members, [&](const Member* member) {
            if (!finished(context, *member)) return false;
            context.say("Reinitialize is completed on: {}", member->name.text());
            return true;
        });
    }
}

Status reinit(Context& context, const Options& options) {
    if (options.members.names.empty() && options.members.force)
        return fail(ErrorCode::invalid,
                    "name the members to reinitialize: all data of theirs is copied anew");
    PGHERD_TRY(auto loaded, context.remote.load());
    PGHERD_TRY(auto members, choose_members(context, loaded.view, options.members, "reinitialize"));
    if (!options.members.force)
        PGHERD_CHECK(
            confirm(context.terminal,
                    fmt::format("Are you sure you want to reinitialize members {}?", listed(members)),
                    "reinitialize"));
    std::vector<const Member*> started;
    for (const Member* member : members)
        if (start(context, *member, options)) started.push_back(member);
    if (options.wait) wait_for(context, started);
    if (started.size() < members.size())
        return fail(fmt::format("{} of {} members did not begin to reinitialize",
                                members.size() - started.size(), members.size()));
    return {};
}

}  // namespace

void add_reinit(CommandLine& line) {
    auto options = std::make_shared<Options>();
    VerbLine verb =
        line.member_verb("reinit", "Make standbys anew, as a copy of another member", options->members.names);
    verb.flag("--from-leader", options->from_leader, "Copy from the leader");
    verb.flag("--wait", options->wait, "Until it is done");
    verb.flag("--force", options->members.force, "Ask nothing; cancel one that is under way");
    verb.runs([options](Context& context) { return reinit(context, *options); });
}

}  // namespace pgherd::ctl
