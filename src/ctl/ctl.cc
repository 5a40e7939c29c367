#include "ctl/ctl.h"

#include "ctl/completion.h"
#include "ctl/verb.h"

namespace pgherd {
namespace {

using namespace ctl;

Status run(const CommandLine& line, Terminal& terminal) {
    PGHERD_TRY(auto location, locate(line.location(), current_environment()));
    PGHERD_TRY(auto remote, connect(location));
    Context context{*remote, terminal, location.scope};
    return line.chosen()(context);
}

}  // namespace

int ctl_main(std::span<const std::string> args) {
    CommandLine line;
    if (auto over = line.parse({args.begin(), args.end()})) return *over;
    ProcessTerminal terminal;
    Status done;
    if (line.shell().empty())
        done = run(line, terminal);
    else
        terminal.print(completion_script(line.app(), line.shell()));
    if (done) done = terminal.print_status();
    if (done) return 0;
    terminal.complain("Error: " + done.error().message);
    return exit_code(done.error().code);
}

}  // namespace pgherd
