// exec.
#include <csignal>
#include <cstdlib>

#include <unistd.h>

#include "base/text.h"
#include "eventloop/signals.h"
#include "pebble_cli/command.h"
#include "pebble_cli/local_file.h"
#include "pebble_cli/own_terminal.h"
#include "pebble_client/exec.h"

namespace pgherd::pebble_cli {
namespace {

struct Mode {
    bool terminal = false;     // the remote command gets a terminal
    bool interactive = false;  // and reads from it
};

Result<Mode> mode_of(const Arguments& arguments) {
    if (arguments.has("-t") && arguments.has("-T"))
        return fail(ErrorCode::invalid, "cannot use -t and -T at the same time");
    if (arguments.has("-i") && arguments.has("-I"))
        return fail(ErrorCode::invalid, "cannot use -i and -I at the same time");
    Mode mode;
    mode.terminal = arguments.has("-t") || (!arguments.has("-T") && is_terminal(STDOUT_FILENO));
    mode.interactive = arguments.has("-i") || (!arguments.has("-I") && mode.terminal &&
                                               is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO));
    return mode;
}

Result<JsonObject> environment(const Arguments& arguments, const Mode& mode) {
    JsonObject variables;
    for (const std::string& given : arguments.values("--env")) {
        const std::size_t equals = given.find('=');
        if (equals == std::string::npos) {
            // Without a value: the one here.
            const char* value = std::getenv(given.c_str());
            variables[given] = value ? value : "";
        } else {
            variables[given.substr(0, equals)] = given.substr(equals + 1);
        }
    }
    if (const char* term = std::getenv("TERM"); mode.terminal && term && !variables.contains("TERM"))
        variables["TERM"] = term;
    return variables;
}

Result<Json> request_of(const Arguments& arguments, const Mode& mode, bool separate_error) {
    JsonObject body{{"command", boost::json::value_from(arguments.words())},
                    {"terminal", mode.terminal},
                    {"interactive", mode.interactive},
                    {"split-stderr", separate_error}};
    PGHERD_TRY(body["environment"], environment(arguments, mode));
    for (auto [option, field] :
         {std::pair{"-w", "working-dir"}, {"--timeout", "timeout"}, {"--context", "service-context"}})
        if (arguments.has(option)) body[field] = arguments.value(option);
    PGHERD_CHECK(add_owner(body, arguments));
    if (const TerminalSize size = terminal_size(STDOUT_FILENO); mode.terminal && size.width > 0) {
        body["width"] = size.width;
        body["height"] = size.height;
    }
    return Json(std::move(body));
}

std::string signal_name(int number) {
    const char* name = ::sigabbrev_np(number);
    return std::string("SIG") + (name ? name : "");
}

Result<int> exec(Context& context, const Arguments& arguments) {
    PGHERD_TRY(const Mode mode, mode_of(arguments));
    const bool separate_error = !mode.terminal && !same_file(STDOUT_FILENO, STDERR_FILENO);
    PGHERD_TRY(Json body, request_of(arguments, mode, separate_error));

    pebble::Exec exec(context.client);
    bool hung_up = false;
    bool nobody_reads = false;  // `exec … | head`
    Signals signals(context.client.loop(),
                    {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH}, [&](int number) {
                        if (number == SIGWINCH) {
                            const TerminalSize size = terminal_size(STDOUT_FILENO);
                            if (mode.terminal && size.width > 0) exec.resize(size.width, size.height);
                            return;
                        }
                        exec.send_signal(signal_name(number));
                        if (number != SIGHUP) return;
                        // Whoever used this terminal has gone: nobody wants the exit code.
                        hung_up = true;
                        context.client.loop().post([&context] { context.client.interrupt(); });
                    });
    std::optional<RawTerminal> raw;
    if (mode.interactive && is_terminal(STDIN_FILENO)) raw.emplace(STDIN_FILENO);
    auto code = exec.run({std::move(body), STDIN_FILENO, separate_error,
                          [&](pebble::OutputStream stream, std::string_view bytes) {
                              const bool is_error = stream == pebble::OutputStream::standard_error;
                              if (write_all(is_error ? STDERR_FILENO : STDOUT_FILENO, bytes)) return;
                              nobody_reads = true;
                              context.client.interrupt();
                          }});
    raw.reset();
    if (hung_up) return 0;
    if (nobody_reads) return 1;
    return code;
}

}  // namespace

std::vector<Command> exec_commands() {
    return {
        {"exec", "Files", "<command>", 1, kAnyNumber, "Execute a remote command and wait for it to finish",
         "The exec command runs a remote command and waits for it to finish: what is typed here is its\n"
         "input, what it prints is printed here, and its exit code is this command's.\n\n"
         "Options end where the command begins; `--` may stand between them.",
         with_owner(
             {{"-w", "", true, "Working directory to run command in"},
              {"--env", "", true, "Environment variable to set (in 'FOO=bar' format)"},
              {"--timeout", "", true, "Timeout after which to terminate command"},
              {"--context", "", true, "Inherit the context of the named service"},
              {"-t", "", false,
               "Allocate remote pseudo-terminal and connect stdout to it (default if stdout is a TTY)"},
              {"-T", "", false, "Disable remote pseudo-terminal allocation"},
              {"-i", "", false,
               "Connect stdin to the pseudo-terminal (default if stdin and stdout are TTYs)"},
              {"-I", "", false, "Disable interactive mode and use a pipe for stdin"}}),
         exec, true},
    };
}

}  // namespace pgherd::pebble_cli
