#include "pebble_cli/command.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iterator>
#include <optional>

#include <unistd.h>

#include "base/text.h"
#include "codec/json.h"
#include "eventloop/signals.h"
#include "pebble_cli/progress.h"

namespace pgherd::pebble_cli {
namespace {

std::vector<Command> all_commands() {
    std::vector<Command> all;
    for (auto group : {info_commands, plan_commands, service_commands, log_commands, check_commands,
                       file_commands, exec_commands, change_commands, notice_commands, identity_commands})
        std::ranges::move(group(), std::back_inserter(all));
    return all;
}

}  // namespace

std::span<const Command> commands() {
    static const std::vector<Command> all = all_commands();
    return all;
}

const Command* find_command(std::string_view name) {
    const auto found = std::ranges::find(commands(), name, &Command::name);
    return found == commands().end() ? nullptr : &*found;
}

void Context::note(std::string_view text) {
    fmt::print(stderr, "{}\n", text);
}

Status Context::post(std::string_view path, const Json& body) {
    const auto answer = client.post(path, body);
    if (!answer) return std::unexpected(answer.error());
    return {};
}

Result<boost::json::array> Context::list(std::string_view path, const pebble::Query& query) {
    PGHERD_TRY(pebble::Answer answer, client.get(path, query));
    if (answer.result.is_null()) return boost::json::array();
    if (!answer.result.is_array()) return fail("cannot understand the answer: the result is no list");
    return std::move(answer.result.get_array());
}

Result<JsonObject> Context::object(std::string_view path, const pebble::Query& query) {
    PGHERD_TRY(pebble::Answer answer, client.get(path, query));
    if (!answer.result.is_object()) return fail("cannot understand the answer: the result is no object");
    return std::move(answer.result.get_object());
}

std::vector<OptionSpec> with_owner(std::vector<OptionSpec> options) {
    options.insert(options.end(), {{"--uid", "", true, "Use specified user ID"},
                                   {"--user", "", true, "Use specified username"},
                                   {"--gid", "", true, "Use specified group ID"},
                                   {"--group", "", true, "Use specified group name"}});
    return options;
}

Status add_owner(JsonObject& request, const Arguments& arguments) {
    for (auto [option, field] : {std::pair{"--uid", "user-id"}, std::pair{"--gid", "group-id"}}) {
        if (!arguments.has(option)) continue;
        const auto number = parse_int(arguments.value(option));
        if (!number)
            return fail(ErrorCode::invalid,
                        fmt::format("invalid value for {}: {}", option, number.error().message));
        request[field] = *number;
    }
    for (auto [option, field] : {std::pair{"--user", "user"}, std::pair{"--group", "group"}})
        if (arguments.has(option)) request[field] = arguments.value(option);
    return {};
}

bool print_formatted(Context& context, const Arguments& arguments, const Json& json) {
    const std::string format = arguments.value("--format", "text");
    if (format == "json") context.say("{}", to_text(json));
    if (format == "yaml") context.print(yaml(json));
    return format != "text";
}

Result<int> finish_change(Context& context, const Arguments& arguments, const Result<pebble::Answer>& begun) {
    if (!begun) return std::unexpected(begun.error());
    if (arguments.has("--no-wait")) {
        context.say("{}", begun->change);
        return 0;
    }
    Signals signals(context.client.loop(), {SIGINT, SIGTERM}, [&](int) { context.client.interrupt(); });
    // Somebody at a terminal wants to know what takes so long; a script does not.
    std::optional<Progress> progress(std::in_place, STDOUT_FILENO);
    const pebble::Client::Meanwhile show = progress->shows()
                                               ? [&](const JsonObject& so_far) { progress->show(so_far); }
                                               : pebble::Client::Meanwhile();
    auto change = context.client.wait_change(begun->change, show);
    if (!change && context.client.interrupted()) {
        context.client.forget_interrupt();
        PGHERD_CHECK(context.post("/v1/changes/" + begun->change, Json{{"action", "abort"}}));
        change = context.client.wait_change(begun->change, show);
    }
    progress.reset();
    if (!change) return std::unexpected(change.error());
    if (std::string why = pebble::text_of(*change, "err"); !why.empty()) return fail(std::move(why));
    const std::string status = pebble::text_of(*change, "status");
    if (status != "Done") return fail(fmt::format("change finished in status \"{}\"", status));
    return 0;
}

pebble::Query repeated(std::string_view key, const std::vector<std::string>& values) {
    pebble::Query query;
    for (const std::string& value : values) query.emplace_back(key, value);
    return query;
}

}  // namespace pgherd::pebble_cli
