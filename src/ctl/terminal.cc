#include "ctl/terminal.h"

#include <cstdio>
#include <iostream>

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::ctl {
namespace {

Status require_somebody(const Terminal& terminal, const std::string& question) {
    if (terminal.interactive()) return {};
    return fail(ErrorCode::invalid, fmt::format("cannot ask \"{}\": standard input is not a terminal; say "
                                                "everything on the command line and add --force",
                                                question));
}

}  // namespace

void ProcessTerminal::complain(std::string_view text) {
    fmt::print(stderr, "{}\n", text);
}

bool ProcessTerminal::interactive() const {
    return ::isatty(STDIN_FILENO) != 0;
}

std::string ProcessTerminal::read_line(std::string_view prompt, bool hidden) {
    print(prompt);
    termios before{};
    bool hide = hidden && ::tcgetattr(STDIN_FILENO, &before) == 0;
    if (hide) {
        termios silent = before;
        silent.c_lflag &= ~tcflag_t(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
    }
    std::string line;
    std::getline(std::cin, line);
    if (hide) {
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
        print("\n");
    }
    return line;
}

void ProcessTerminal::clear() {
    if (::isatty(STDOUT_FILENO)) print("\033[H\033[2J");
}

Result<std::string> ask(Terminal& terminal, const std::string& question, const std::string& fallback) {
    PGHERD_CHECK(require_somebody(terminal, question));
    std::string shown = fallback.empty() ? "" : fmt::format(" [{}]", fallback);
    std::string answer(trim(terminal.read_line(fmt::format("{}{}: ", question, shown), false)));
    return answer.empty() ? fallback : answer;
}

Result<std::string> ask_secret(Terminal& terminal, const std::string& question) {
    PGHERD_CHECK(require_somebody(terminal, question));
    return terminal.read_line(question + ": ", true);
}

Status confirm(Terminal& terminal, const std::string& question, std::string_view what) {
    PGHERD_CHECK(require_somebody(terminal, question));
    std::string answer = to_lower(trim(terminal.read_line(question + " [y/N]: ", false)));
    if (answer == "y" || answer == "yes") return {};
    return fail(fmt::format("aborted {}, nothing was changed", what));
}

}  // namespace pgherd::ctl
