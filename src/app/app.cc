#include "app/app.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <span>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/state.h"
#include "container/container.h"
#include "ctl/ctl.h"
#include "exporter/exporter.h"
#include "local/local.h"
#include "pebble_cli/pebble_cli.h"
#include "supervisor/run.h"
#include "writes/writes.h"

namespace pgherd::app {
namespace {

constexpr std::string_view kVersion = PGHERD_VERSION;

struct Command {
    std::string_view name;
    std::string_view summary;  // empty = not shown
    int (*run)(const std::vector<std::string>& args);
};

int print_version(const std::vector<std::string>&) {
    fmt::print("pgherd {} (compatible with Patroni {})\n", kVersion, agent::kPatroniVersion);
    return 0;
}

int print_help(const std::vector<std::string>&);

// Pebble's command line; `program` is what it calls itself in its texts.
int pebble(std::string program, std::vector<std::string> words) {
    const bool help = words.size() == 2 && words[0] == "help";
    const std::string& command = words.empty() ? program : words[help ? 1 : 0];
    if (command == "run" || command == "enter")
        return supervisor::supervisor_main(help ? std::vector{command, std::string("--help")} : words,
                                           kVersion);
    std::vector<char*> argv{program.data()};
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return pebble_cli::pebble_cli_main(static_cast<int>(words.size() + 1), argv.data());
}

constexpr std::array kCommands{
    Command{"up", "start a cluster on this machine and show it",
            [](const std::vector<std::string>& args) { return local::up_main(args); }},
    Command{"down", "stop a cluster that `up` has started",
            [](const std::vector<std::string>& args) { return local::down_main(args); }},
    Command{"ctl", "look at a cluster and steer it: list, switchover, restart, … (patronictl's commands)",
            [](const std::vector<std::string>& args) { return ctl_main(args); }},
    Command{"agent", "run one member of a cluster from its configuration file", agent_main},
    Command{"supervisor", "run services in a container and steer them, as Pebble does",
            [](const std::vector<std::string>& args) { return pebble("pgherd supervisor", args); }},
    Command{"container", "run one member in a container, from its environment",
            [](const std::vector<std::string>& args) { return container::container_main(args, kVersion); }},
    Command{"writes", "write all the time and report what was acknowledged and what was lost",
            [](const std::vector<std::string>& args) { return writes_main(args); }},
    Command{"exporter", "serve PgBouncer's statistics to Prometheus", exporter::exporter_main},
    Command{"version", "print the version", print_version},
    Command{"help", "print this text, or a command's", print_help},
    Command{"brain", "", brain_main},
};

const Command* find(std::string_view name) {
    for (const Command& command : kCommands)
        if (command.name == name) return &command;
    return nullptr;
}

int no_such_command(std::string_view name) {
    fmt::print(stderr, "pgherd: there is no command \"{}\"; `pgherd help` lists them\n", name);
    return 2;
}

int print_help(const std::vector<std::string>& args) {
    if (!args.empty() && args[0] != "help" && args[0] != "version") {
        const Command* command = find(args[0]);
        const bool shown = command && !command->summary.empty();
        return shown ? command->run({"--help"}) : no_such_command(args[0]);
    }
    fmt::print(
        "pgherd runs PostgreSQL as a herd: one primary, standbys that follow it, and a new primary when it "
        "dies.\n\n"
        "usage: pgherd COMMAND [OPTIONS]\n\n");
    for (const Command& command : kCommands)
        if (!command.summary.empty()) fmt::print("  {:<12}{}\n", command.name, command.summary);
    fmt::print(
        "\nexamples:\n"
        "  pgherd up                          three members on this machine\n"
        "  pgherd ctl list                    who leads, who follows, how far behind\n"
        "  pgherd ctl switchover --force      hand over to a standby\n"
        "  pgherd agent /etc/pgherd/a.yml     one member, as Patroni would run it\n\n"
        "`pgherd COMMAND --help` tells more.\n");
    return 0;
}

// What was closed would be taken by the first file or socket that is opened, and then be written to as
// output.
void open_standard_streams() {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(descriptor, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
}

}  // namespace

int run(const std::vector<std::string>& args) {
    open_standard_streams();
    std::signal(SIGPIPE, SIG_IGN);
    std::vector<std::string> rest(args.begin() + (args.empty() ? 0 : 1), args.end());
    const std::filesystem::path called = args.empty() ? "" : std::filesystem::path(args[0]).filename();
    if (called == "patronictl") return ctl_main(rest);
    if (called == "pebble") return pebble("pebble", rest);
    if (called == "prometheus-pgbouncer-exporter") return exporter::exporter_main(rest);
    if (rest.empty()) {
        print_help(rest);
        return 2;
    }
    std::string name = rest.front();
    rest.erase(rest.begin());
    if (name == "--help" || name == "-h") name = "help";
    if (name == "--version" || name == "-V") name = "version";
    const Command* command = find(name);
    return command ? command->run(rest) : no_such_command(name);
}

}  // namespace pgherd::app
