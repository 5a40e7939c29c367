// logs.
#include <csignal>

#include "base/text.h"
#include "codec/json.h"
#include "eventloop/signals.h"
#include "pebble_cli/command.h"
#include "supervise/go_text.h"

namespace pgherd::pebble_cli {
namespace {

// Milliseconds, as in the supervisor's own output.
std::string line_time(const std::string& time) {
    const auto parsed = supervise::parse_rfc3339(time);
    if (!parsed) return time;
    std::string text = supervise::rfc3339_seconds(*parsed);  // "2026-01-02T03:04:05Z"
    const auto fraction =
        std::chrono::duration_cast<std::chrono::milliseconds>(parsed->time_since_epoch()).count() % 1000;
    return fmt::format("{}.{:03}Z", text.substr(0, 19), fraction);
}

void print_entry(Context& context, std::string_view line, bool json) {
    if (json) {
        context.say("{}", line);
        return;
    }
    const auto entry = parse_json_object(line);
    if (!entry) return;
    context.say("{} [{}] {}", line_time(pebble::text_of(*entry, "time")), pebble::text_of(*entry, "service"),
                pebble::text_of(*entry, "message"));
}

Result<std::string> number_of_lines(const Arguments& arguments) {
    const std::string given = arguments.value("-n");
    if (given.empty()) return std::string("30");
    if (given == "all") return std::string("-1");
    const auto number = parse_int(given);
    if (!number || *number < 0)
        return fail(ErrorCode::invalid,
                    fmt::format("expected n to be a non-negative integer or \"all\", not \"{}\"", given));
    return given;
}

Result<int> logs(Context& context, const Arguments& arguments) {
    pebble::Query query = repeated("services", arguments.words());
    PGHERD_TRY(const std::string count, number_of_lines(arguments));
    query.emplace_back("n", count);
    if (arguments.has("--follow")) query.emplace_back("follow", "true");
    const bool json = arguments.value("--format") == "json";
    Signals signals(context.client.loop(), {SIGINT, SIGTERM}, [&](int) { context.client.interrupt(); });
    std::string rest;
    const Status done = context.client.stream("/v1/logs", query, {}, [&](std::string_view chunk) {
        rest += chunk;
        std::size_t begin = 0;
        for (std::size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1)
            print_entry(context, std::string_view(rest).substr(begin, end - begin), json);
        rest.erase(0, begin);
        // Whoever read our output has gone: `logs -f | head`.
        if (context.output_failed()) context.client.interrupt();
    });
    if (!done && !context.client.interrupted()) return std::unexpected(done.error());
    return 0;
}

}  // namespace

std::vector<Command> log_commands() {
    return {
        {"logs",
         "Services",
         "[<service>...]",
         0,
         kAnyNumber,
         "Fetch service logs",
         "The logs command shows the buffered logs of the named services, or of all, in the order of time.",
         {{"--follow", "-f", false, "Show new lines as they come, until Ctrl-C"},
          {"-n", "", true, "Number of lines to show (before following); defaults to 30; all for all of them"},
          {"--format", "", true, "Output format (default: text)", "text|json"}},
         logs},
    };
}

}  // namespace pgherd::pebble_cli
