#include "pebble_cli/pebble_cli.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "pebble_cli/command.h"

namespace pgherd::pebble_cli {
namespace {

constexpr const char* kVersion = "v" PGHERD_VERSION;

std::string environment(const char* name, std::string otherwise) {
    const char* value = std::getenv(name);
    return value && *value ? std::string(value) : std::move(otherwise);
}

std::string socket_path() {
    const std::string directory = environment("PEBBLE", "/var/lib/pebble/default");
    return environment("PEBBLE_SOCKET", directory + "/.pebble.socket");
}

// Only what the command line itself refuses; the API's words are passed on as they are.
Status check_words(const Command& command, const std::vector<std::string>& words) {
    if (words.size() > command.most_words) return fail(ErrorCode::invalid, "too many arguments for command");
    if (words.size() >= command.least_words) return {};
    // "<label> <layer-path>": the first one that is missing.
    std::string_view missing = command.words;
    for (std::size_t given = 0; given < words.size() && missing.find(' ') != std::string_view::npos; ++given)
        missing.remove_prefix(missing.find(' ') + 1);
    missing = missing.substr(0, missing.find(' '));
    if (missing.ends_with("..."))
        return fail(ErrorCode::invalid,
                    fmt::format("the required argument `{} (at least 1 argument)` was not provided",
                                missing.substr(0, missing.size() - 3)));
    return fail(ErrorCode::invalid, fmt::format("the required argument `{}` was not provided", missing));
}

Result<int> run(Context& context, const std::vector<std::string>& words) {
    const std::string name = words.empty() || words[0] == "-h" || words[0] == "--help" ? "help"
                             : words[0] == "--version"                                 ? "version"
                                                                                       : words[0];
    const Command* command = find_command(name);
    if (!command || !command->run)
        return fail(ErrorCode::invalid,
                    fmt::format("unknown command \"{}\", see '{} help'", name, context.program));
    const std::vector<std::string> given(words.begin() + (words.empty() ? 0 : 1), words.end());
    std::vector<OptionSpec> options = command->options;
    options.push_back({"--help", "-h", false, ""});
    PGHERD_TRY(const Arguments arguments, Arguments::read(options, given, command->leading_options));
    if (arguments.has("--help")) {
        context.print(command_help(context, *command));
        return 0;
    }
    PGHERD_CHECK(check_words(*command, arguments.words()));
    return command->run(context, arguments);
}

}  // namespace

int pebble_cli_main(int argc, char** argv) {
    try {
        EventLoop loop;
        pebble::Client client(loop, {.socket = socket_path()});
        Context context(client, argv[0], kVersion);
        auto code = run(context, std::vector<std::string>(argv + 1, argv + argc));
        if (const Status printed = context.output_status(); code && !printed)
            code = std::unexpected(printed.error());
        if (code) return *code;
        context.note("error: " + code.error().message);
        if (code.error().code == ErrorCode::unavailable)
            context.note(fmt::format(
                "Is the supervisor running? Its socket is {}; $PEBBLE or $PEBBLE_SOCKET name another.",
                client.socket()));
    } catch (const std::exception& error) {
        fmt::print(stderr, "error: {}\n", error.what());  // from Asio or the JSON library
    }
    return 1;
}

}  // namespace pgherd::pebble_cli
