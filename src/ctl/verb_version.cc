// version: of the members and their PostgreSQL.

#include "base/text.h"
#include "codec/json.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

// 150020 is 15.20, 90624 is 9.6.24.
std::string postgres_version(std::int64_t number) {
    if (number < 100000) return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
    return fmt::format("{}.{}", number / 10000, number % 10000);
}

Result<std::string> version_of(Context& context, const Member& member) {
    PGHERD_TRY(auto answer, context.remote.call(member, {"GET", "patroni", ""}));
    PGHERD_TRY(auto status, parse_json_object(answer.body));
    const Json* program = status.if_contains("patroni");
    const Json* version =
        program && program->is_object() ? program->get_object().if_contains("version") : nullptr;
    std::string text = "Patroni " + (version ? cell_text(*version) : std::string("unknown"));
    const Json* server = status.if_contains("server_version");
    if (server && server->is_int64()) text += " PostgreSQL " + postgres_version(server->get_int64());
    return text;
}

Status version(Context& context, const std::vector<std::string>& names) {
    PGHERD_TRY(auto loaded, context.remote.load());
    PGHERD_TRY(auto members, choose_members(context, loaded.view, {.names = names, .force = true}, "ask"));
    std::size_t failures = 0;
    for (const Member* member : members) {
        auto text = version_of(context, *member);
        if (text)
            context.say("{}: {}", member->name.text(), *text);
        else
            context.terminal.complain(
                fmt::format("{}: failed to get version: {}", member->name.text(), text.error().message));
        failures += text ? 0 : 1;
    }
    if (failures > 0)
        return fail(fmt::format("{} of {} members did not tell their version", failures, members.size()));
    return {};
}

}  // namespace

void add_version(CommandLine& line) {
    auto names = std::make_shared<std::vector<std::string>>();
    VerbLine verb =
        line.member_verb("version", "Show the versions of members and of their PostgreSQL", *names);
    verb.runs([names](Context& context) { return version(context, *names); });
}

}  // namespace pgherd::ctl
