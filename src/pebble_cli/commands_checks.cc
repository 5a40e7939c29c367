// checks, check, start-checks, stop-checks, health.
#include "base/text.h"
#include "pebble_cli/command.h"

namespace pgherd::pebble_cli {
namespace {

constexpr std::size_t kErrorShown = 70;

// The lines of all tasks of a change.
std::vector<std::string> task_logs(Context& context, const std::string& id) {
    std::vector<std::string> lines;
    const auto change = id.empty() ? Result<JsonObject>(fail("no change")) : context.client.change(id);
    const Json* tasks = change ? change->if_contains("tasks") : nullptr;
    if (!tasks || !tasks->is_array()) return lines;
    for (const Json& task : tasks->get_array())
        if (const Json* log = task.is_object() ? task.get_object().if_contains("log") : nullptr;
            log && log->is_array())
            for (const Json& line : log->get_array())
                if (line.is_string()) lines.emplace_back(line.get_string());
    return lines;
}

// "2026-01-02T03:04:05Z ERROR exit status 1" -> "exit status 1"
std::string without_head(std::string line) {
    for (std::string_view level : {" ERROR ", " INFO "})
        if (const auto at = line.find(level); at != std::string::npos) return line.substr(at + level.size());
    return line;
}

std::string change_cell(Context& context, const JsonObject& check) {
    const std::string id = pebble::text_of(check, "change-id");
    if (id.empty()) return "-";
    if (pebble::number_of(check, "failures") == 0) return id;
    const auto lines = task_logs(context, id);
    if (lines.empty()) return id;
    std::string why = without_head(lines.back());
    why = why.substr(0, why.find('\n'));
    if (why.size() <= kErrorShown) return fmt::format("{} ({})", id, why);
    return fmt::format("{} ({}... run \"{} tasks {}\" for more)", id, why.substr(0, kErrorShown),
                       context.program, id);
}

Result<int> checks(Context& context, const Arguments& arguments) {
    pebble::Query query = repeated("names", arguments.words());
    query.emplace_back("level", arguments.value("--level"));
    PGHERD_TRY(const auto found, context.list("/v1/checks", query));
    if (print_formatted(context, arguments, found)) return 0;
    if (found.empty()) {
        const bool all = arguments.words().empty() && !arguments.has("--level");
        context.note(all ? "Plan has no health checks." : "No matching health checks.");
        return 0;
    }
    std::vector<std::vector<std::string>> rows{
        {"Check", "Level", "Startup", "Status", "Successes", "Failures", "Change"}};
    for (const Json& item : found) {
        const JsonObject& check = item.as_object();
        const std::string level = pebble::text_of(check, "level");
        const bool inactive = pebble::text_of(check, "status") == "inactive";
        rows.push_back({pebble::text_of(check, "name"), level.empty() ? "-" : level,
                        pebble::text_of(check, "startup"), pebble::text_of(check, "status"),
                        inactive ? "-" : std::to_string(pebble::number_of(check, "successes")),
                        inactive ? "-"
                                 : fmt::format("{}/{}", pebble::number_of(check, "failures"),
                                               pebble::number_of(check, "threshold")),
                        change_cell(context, check)});
    }
    context.print(table(rows));
    return 0;
}

Result<int> check(Context& context, const Arguments& arguments) {
    const std::string& name = arguments.words()[0];
    JsonObject shown;
    if (arguments.has("--refresh")) {
        PGHERD_TRY(const pebble::Answer answer,
                   context.client.post("/v1/checks/refresh", Json{{"name", name}}));
        if (!answer.result.is_object()) return fail("cannot understand the answer: the result is no object");
        shown = pebble::object_of(answer.result.get_object(), "info");
        if (std::string why = pebble::text_of(answer.result.get_object(), "error"); !why.empty())
            shown["error"] = why;
    } else {
        PGHERD_TRY(const auto found, context.list("/v1/checks", {{"names", name}}));
        if (found.empty()) return fail(ErrorCode::not_found, fmt::format("cannot find check \"{}\"", name));
        shown = found[0].as_object();
    }
    std::vector<std::string> lines;
    for (const char* key : {"prev-change-id", "change-id"})
        for (std::string& line : task_logs(context, pebble::text_of(shown, key)))
            lines.push_back(std::move(line));
    if (!lines.empty()) shown["logs"] = boost::json::value_from(lines);
    if (!print_formatted(context, arguments, shown)) context.print(yaml(shown));
    return 0;
}

Result<int> switch_checks(Context& context, const Arguments& arguments, std::string_view action,
                          std::string_view done) {
    PGHERD_TRY(
        const pebble::Answer answer,
        context.client.post(
            "/v1/checks", Json{{"action", action}, {"checks", boost::json::value_from(arguments.words())}}));
    std::vector<std::string> changed;
    if (answer.result.is_object())
        if (const Json* names = answer.result.get_object().if_contains("changed"); names && names->is_array())
            for (const Json& name : names->get_array()) changed.emplace_back(name.as_string());
    if (changed.empty())
        context.say("Checks already {}.", done);
    else
        context.say("Checks {}: {}", done, join(changed, ", "));
    return 0;
}

Result<int> health(Context& context, const Arguments& arguments) {
    pebble::Query query = repeated("names", arguments.words());
    query.emplace_back("level", arguments.value("--level"));
    PGHERD_TRY(const JsonObject answer, context.object("/v1/health", query));
    const Json* healthy = answer.if_contains("healthy");
    const bool good = healthy && healthy->is_bool() && healthy->get_bool();
    if (print_formatted(context, arguments, Json{{"healthy", good}})) return 0;
    context.say("{}", good ? "healthy" : "unhealthy");
    return good ? 0 : 1;
}

}  // namespace

std::vector<Command> check_commands() {
    return {
        {"checks",
         "Checks",
         "[<check>...]",
         0,
         kAnyNumber,
         "Query the status of configured health checks",
         "The checks command lists the state of the health checks, of a level or of names if given.",
         {kFormat, kLevel},
         checks},
        {"check",
         "Checks",
         "<check>",
         1,
         1,
         "Query the details of a configured health check",
         "The check command shows one check with the last words of its failures.",
         {kFormat, {"--refresh", "", false, "Run the check immediately"}},
         check},
        {"start-checks",
         "Checks",
         "<check>...",
         1,
         kAnyNumber,
         "Start one or more checks",
         "The start-checks command starts the named checks; those that run already are left alone.",
         {},
         [](Context& context, const Arguments& arguments) {
             return switch_checks(context, arguments, "start", "started");
         }},
        {"stop-checks",
         "Checks",
         "<check>...",
         1,
         kAnyNumber,
         "Stop one or more checks",
         "The stop-checks command stops the named checks; those that are inactive are left alone.",
         {},
         [](Context& context, const Arguments& arguments) {
             return switch_checks(context, arguments, "stop", "stopped");
         }},
        {"health",
         "Checks",
         "[<check>...]",
         0,
         kAnyNumber,
         "Query health of checks",
         "The health command ends with 0 when all checks it was asked about are healthy, else with 1;\n"
         "with json or yaml as its format always with 0.",
         {kFormat, kLevel},
         health},
    };
}

}  // namespace pgherd::pebble_cli
