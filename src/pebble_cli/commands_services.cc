// services, start, stop, restart, autostart, signal.
#include "base/text.h"
#include "pebble_cli/command.h"

namespace pgherd::pebble_cli {
namespace {

Result<int> services(Context& context, const Arguments& arguments) {
    PGHERD_TRY(const auto found, context.list("/v1/services", {{"names", join(arguments.words(), ",")}}));
    if (print_formatted(context, arguments, found)) return 0;
    if (found.empty()) {
        context.note(arguments.words().empty() ? "Plan has no services." : "No matching services.");
        return 0;
    }
    std::vector<std::vector<std::string>> rows{{"Service", "Startup", "Current", "Since"}};
    for (const Json& item : found) {
        const JsonObject& service = item.as_object();
        rows.push_back({pebble::text_of(service, "name"), pebble::text_of(service, "startup"),
                        pebble::text_of(service, "current"),
                        shown_time(pebble::text_of(service, "current-since"), arguments.has("--abs-time"),
                                   context.now())});
    }
    context.print(table(rows));
    return 0;
}

Result<int> act(Context& context, const Arguments& arguments, std::string_view action) {
    const auto& names = arguments.words();
    return finish_change(
        context, arguments,
        context.client.post("/v1/services",
                            Json{{"action", action}, {"services", boost::json::value_from(names)}}));
}

Result<int> signal(Context& context, const Arguments& arguments) {
    std::string name = arguments.words()[0];
    for (char c : name)
        if (c >= 'a' && c <= 'z')
            return fail(ErrorCode::invalid, "signal name must be uppercase, for example HUP");
    if (!name.starts_with("SIG")) name.insert(0, "SIG");
    const std::vector<std::string> services(arguments.words().begin() + 1, arguments.words().end());
    PGHERD_CHECK(
        context.post("/v1/signals", Json{{"signal", name}, {"services", boost::json::value_from(services)}}));
    return 0;
}

}  // namespace

std::vector<Command> service_commands() {
    return {
        {"services",
         "Services",
         "[<service>...]",
         0,
         kAnyNumber,
         "Query the status of configured services",
         "The services command lists the state of the named services, or of all.",
         {kFormat, kAbsoluteTime},
         services},
        {"start",
         "Services",
         "<service>...",
         1,
         kAnyNumber,
         "Start services",
         "The start command starts the named services and what they require, in the right order.",
         {kNoWait},
         [](Context& context, const Arguments& arguments) { return act(context, arguments, "start"); }},
        {"restart",
         "Services",
         "<service>...",
         1,
         kAnyNumber,
         "Restart services",
         "The restart command restarts the named services in the right order.",
         {kNoWait},
         [](Context& context, const Arguments& arguments) { return act(context, arguments, "restart"); }},
        {"stop",
         "Services",
         "<service>...",
         1,
         kAnyNumber,
         "Stop services",
         "The stop command stops the named services and what requires them, in the right order.",
         {kNoWait},
         [](Context& context, const Arguments& arguments) { return act(context, arguments, "stop"); }},
        {"autostart",
         "Services",
         "",
         0,
         0,
         "Start the services that are enabled at startup",
         "The autostart command starts the services whose startup is enabled.",
         {kNoWait},
         [](Context& context, const Arguments& arguments) { return act(context, arguments, "autostart"); }},
        {"signal",
         "Services",
         "<SIGNAL> <service>...",
         2,
         kAnyNumber,
         "Send a signal to one or more running services",
         "The signal command sends a signal to running services: signal HUP mysql nginx",
         {},
         signal},
    };
}

}  // namespace pgherd::pebble_cli
