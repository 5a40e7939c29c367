// show-config, history, dsn: one record of the store, shown.

#include "base/text.h"
#include "codec/agent_config.h"
#include "codec/json.h"
#include "ctl/verb.h"

namespace pgherd::ctl {
namespace {

Status show_config(Context& context, Format format) {
    PGHERD_TRY(auto loaded, context.remote.load());
    const Record* record = loaded.record("config");
    if (!record) return fail("the cluster has no configuration yet");
    auto config = parse_json_object(record->value);
    if (!config) return fail("the configuration in the store is broken: " + config.error().message);
    context.terminal.print(format == Format::json ? to_pretty(*config) + "\n"
                                                  : to_yaml(sorted_keys(*config)));
    return {};
}

Status history(Context& context, Format format) {
    PGHERD_TRY(auto loaded, context.remote.load());
    Table table{"", {{"TL", true}, {"LSN", true}, {"Reason"}, {"Timestamp"}, {"New Leader"}}, {}};
    for (const HistoryLine& line : loaded.view.history)
        table.rows.push_back({Json(std::int64_t(line.timeline.value)), Json(std::int64_t(line.lsn.value)),
                              Json(line.reason), Json(line.timestamp), Json(line.leader.text())});
    context.terminal.print(render(table, format, true));
    return {};
}

struct DsnOptions {
    std::optional<RoleFilter> role;
    std::string member;
};

Status dsn(Context& context, const DsnOptions& options) {
    PGHERD_TRY(auto loaded, context.remote.load());
    PGHERD_TRY(const Member* member, one_member(loaded.view, options.role, options.member));
    context.say("host={} port={}", member->host(), member->port());
    return {};
}

}  // namespace

void add_show_config(CommandLine& line) {
    auto format = std::make_shared<Format>(Format::yaml);
    VerbLine verb = line.verb("show-config", "Show the cluster's dynamic configuration");
    verb.format("-f,--format", *format);
    verb.runs([format](Context& context) { return show_config(context, *format); });
}

void add_history(CommandLine& line) {
    auto format = std::make_shared<Format>(Format::pretty);
    VerbLine verb = line.verb("history", "Show when and why the leader changed");
    verb.format("-f,--format", *format);
    verb.runs([format](Context& context) { return history(context, *format); });
}

void add_dsn(CommandLine& line) {
    auto options = std::make_shared<DsnOptions>();
    VerbLine verb =
        line.verb("dsn", "Print where a member can be connected to; the leader, if not said otherwise");
    verb.role(options->role);
    verb.text("-m,--member", options->member, "This member", "MEMBER");
    verb.runs([options](Context& context) { return dsn(context, *options); });
}

}  // namespace pgherd::ctl
