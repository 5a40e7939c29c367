// help, version, completion.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "codec/json.h"
#include "pebble_cli/command.h"

namespace pgherd::pebble_cli {
namespace {

constexpr std::array<std::string_view, 9> kGroups{"Run",   "Info",    "Plan",    "Services",  "Checks",
                                                  "Files", "Changes", "Notices", "Identities"};

std::string summary(const Context& context) {
    std::string text = fmt::format(
        "{0} lets you control services and perform management actions on\n"
        "the system that is running them.\n\nUsage: {0} <command> [<options>...]\n\nCommands can be "
        "classified as follows:\n\n",
        context.program);
    for (std::string_view group : kGroups) {
        std::vector<std::string> names;
        for (const Command& command : commands())
            if (command.group == group) names.emplace_back(command.name);
        text += fmt::format("{:>12}: {}\n", group, join(names, ", "));
    }
    return text + fmt::format(
                      "\nSet the PEBBLE environment variable to override the configuration directory\n"
                      "(which defaults to /var/lib/pebble/default). Set PEBBLE_SOCKET to override\n"
                      "the unix socket used for the API (defaults to $PEBBLE/.pebble.socket).\n\n"
                      "For more information about a command, run '{0} help <command>'.\n"
                      "For a short summary of all commands, run '{0} help --all'.\n",
                      context.program);
}

Result<int> help(Context& context, const Arguments& arguments) {
    if (arguments.words().empty()) {
        context.print(summary(context));
        if (!arguments.has("--all")) return 0;
        context.print("\n");
        for (const Command& command : commands())
            if (!command.group.empty()) context.say("  {:<20}{}", command.name, command.summary);
        return 0;
    }
    const std::string& name = arguments.words()[0];
    const Command* command = find_command(name);
    if (!command)
        return fail(ErrorCode::invalid,
                    fmt::format("unknown command \"{}\", see '{} help'", name, context.program));
    context.print(command_help(context, *command));
    return 0;
}

Result<int> version(Context& context, const Arguments& arguments) {
    if (arguments.has("--client")) {
        if (!print_formatted(context, arguments, Json{{"client", context.version}}))
            context.say("{}", context.version);
        return 0;
    }
    // The command tells what it knows, also where no server runs.
    std::string server = "-";
    if (auto info = context.object("/v1/system-info")) server = pebble::text_of(*info, "version");
    if (!print_formatted(context, arguments, Json{{"client", context.version}, {"server", server}}))
        context.print(table({{"client", context.version}, {"server", server}}));
    return 0;
}

Result<int> completion(Context& context, const Arguments&) {
    context.print(completion_script());
    return 0;
}

// For the completion: names of services or checks, without a word when nobody answers.
Result<int> names(Context& context, const Arguments& arguments) {
    pebble::Client client(context.client.loop(), {.socket = context.client.socket(), .patience = {}});
    const auto answer = client.get("/v1/" + arguments.words()[0]);
    if (!answer || !answer->result.is_array()) return 0;
    for (const Json& item : answer->result.get_array())
        if (item.is_object()) context.say("{}", pebble::text_of(item.get_object(), "name"));
    return 0;
}

}  // namespace

std::string command_help(const Context& context, const Command& command) {
    std::string text = fmt::format("Usage:\n  {} {}", context.program, command.name);
    if (!command.options.empty()) text += fmt::format(" [{}-OPTIONS]", command.name);
    if (!command.words.empty()) text += fmt::format(" {}", command.words);
    text += fmt::format("\n\n{}\n", command.about.empty() ? command.summary : command.about);
    if (command.options.empty()) return text;
    text += fmt::format("\n[{} command options]\n", command.name);
    for (const OptionSpec& option : command.options) {
        std::string left = option.letter.empty() ? std::string(option.name.starts_with("--") ? "    " : "")
                                                 : fmt::format("{}, ", option.letter);
        left += option.name;
        if (option.takes_value) left += option.choices.empty() ? "=" : fmt::format("=[{}]", option.choices);
        text += fmt::format("  {:<32}  {}\n", left, option.help);
    }
    return text;
}

std::vector<Command> info_commands() {
    return {
        {"run", "Run", "", 0, 0, "Run the service manager environment", "", {}},
        {"enter",
         "Run",
         "[<subcommand>...]",
         0,
         0,
         "Run the service manager as the entry point of a container",
         "",
         {}},
        {"help",
         "Info",
         "[<command>]",
         0,
         1,
         "Show help about a command",
         "The help command displays information about commands.",
         {{"--all", "", false, "Show a short summary of all commands"}},
         help},
        {"version",
         "Info",
         "",
         0,
         0,
         "Show version details",
         "The version command displays the versions of the running client and server.",
         {{"--client", "", false, "Only display the client version"}, kFormat},
         version},
        {"completion",
         "Info",
         "[<shell>]",
         0,
         1,
         "Print a completion script for bash",
         "The completion command prints a script for bash: source <(… completion bash)",
         {},
         completion},
        {"__names", "", "<kind>", 1, 1, "", "", {}, names},
    };
}

}  // namespace pgherd::pebble_cli
