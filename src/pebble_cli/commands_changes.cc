// changes, tasks.
#include <algorithm>

#include "base/text.h"
#include "pebble_cli/command.h"

namespace pgherd::pebble_cli {
namespace {

std::vector<JsonObject> in_order(const boost::json::array& list) {
    std::vector<JsonObject> changes;
    for (const Json& item : list) changes.push_back(item.as_object());
    std::ranges::sort(changes, [](const JsonObject& a, const JsonObject& b) {
        return parse_int(pebble::text_of(a, "id")).value_or(0) <
               parse_int(pebble::text_of(b, "id")).value_or(0);
    });
    return changes;
}

std::vector<std::string> times(Context& context, const Arguments& arguments, const JsonObject& object) {
    const bool absolute = arguments.has("--abs-time");
    return {shown_time(pebble::text_of(object, "spawn-time"), absolute, context.now()),
            shown_time(pebble::text_of(object, "ready-time"), absolute, context.now())};
}

Result<int> changes(Context& context, const Arguments& arguments) {
    const std::string service = arguments.words().empty() ? "" : arguments.words()[0];
    PGHERD_TRY(const auto found, context.list("/v1/changes", {{"select", "all"}, {"for", service}}));
    if (print_formatted(context, arguments, found)) return 0;
    if (found.empty()) return fail(ErrorCode::not_found, "no changes found");
    std::vector<std::vector<std::string>> rows{{"ID", "Status", "Spawn", "Ready", "Summary"}};
    for (const JsonObject& change : in_order(found)) {
        const auto when = times(context, arguments, change);
        rows.push_back({pebble::text_of(change, "id"), pebble::text_of(change, "status"), when[0], when[1],
                        pebble::text_of(change, "summary")});
    }
    context.print(table(rows));
    return 0;
}

// The id of the last change of a kind; "kind?": or nothing.
Result<std::string> last_change(Context& context, std::string kind) {
    const bool maybe = kind.ends_with('?');
    if (maybe) kind.pop_back();
    PGHERD_TRY(const auto found, context.list("/v1/changes", {{"select", "all"}}));
    std::string last;
    for (const JsonObject& change : in_order(found))
        if (pebble::text_of(change, "kind") == kind) last = pebble::text_of(change, "id");
    if (last.empty() && !maybe)
        return fail(ErrorCode::not_found, fmt::format("no changes of type \"{}\" found", kind));
    return last;
}

std::string logs_of(const JsonObject& task) {
    const Json* log = task.if_contains("log");
    if (!log || !log->is_array() || log->get_array().empty()) return {};
    std::string text = "\n" + std::string(70, '.') + "\n" + pebble::text_of(task, "summary") + "\n\n";
    for (const Json& line : log->get_array())
        if (line.is_string()) text += std::string(std::string_view(line.get_string())) + "\n";
    return text;
}

Result<int> tasks(Context& context, const Arguments& arguments) {
    const bool last = arguments.has("--last");
    if (last == !arguments.words().empty())
        return fail(ErrorCode::invalid, last ? "cannot use change ID and type together"
                                             : "please provide change ID or type with --last=<type>");
    std::string id = last ? "" : arguments.words()[0];
    if (last) {
        PGHERD_TRY(id, last_change(context, arguments.value("--last")));
        if (id.empty()) return 0;
    }
    PGHERD_TRY(const JsonObject change, context.client.change(id));
    const Json* list = change.if_contains("tasks");
    const boost::json::array none;
    const auto& found = list && list->is_array() ? list->get_array() : none;
    if (print_formatted(context, arguments, found)) return 0;
    std::vector<std::vector<std::string>> rows{{"Status", "Spawn", "Ready", "Summary"}};
    std::string logs;
    for (const Json& item : found) {
        const JsonObject& task = item.as_object();
        const auto when = times(context, arguments, task);
        std::string summary = pebble::text_of(task, "summary");
        const JsonObject& progress = pebble::object_of(task, "progress");
        if (const auto total = pebble::number_of(progress, "total");
            total > 1 && pebble::text_of(task, "status") == "Doing")
            summary +=
                fmt::format(" ({:.2f}%)", 100.0 * static_cast<double>(pebble::number_of(progress, "done")) /
                                              static_cast<double>(total));
        rows.push_back({pebble::text_of(task, "status"), when[0], when[1], summary});
        logs += logs_of(task);
    }
    context.print(table(rows) + logs);
    return 0;
}

}  // namespace

std::vector<Command> change_commands() {
    return {
        {"changes",
         "Changes",
         "[<service>]",
         0,
         1,
         "List system changes",
         "The changes command lists what has been changed recently, by one service if given.",
         {kAbsoluteTime, kFormat},
         changes},
        {"tasks",
         "Changes",
         "[<change-id>]",
         0,
         1,
         "List a change's tasks",
         "The tasks command lists the tasks of a change, with what they have logged.",
         {kAbsoluteTime,
          kFormat,
          {"--last", "", true,
           "Select the last change of this kind; with a question mark behind it, none is no error"}},
         tasks},
    };
}

}  // namespace pgherd::pebble_cli
