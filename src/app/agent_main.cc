// `pgherd agent CONFIG.yml`: checks the configuration, then becomes the guard, which starts the brain.
//
// A configuration that cannot be understood ends the program before anything is touched.
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/app.h"
#include "codec/agent_config.h"
#include "guard/guard.h"

namespace pgherd::app {
namespace {

constexpr const char* kFooter =
    "The file is Patroni's (patroni.yml), and PATRONI_* variables are honoured. Sections etcd3 (or etcd) and "
    "sqlite name the store.\n"
    "\nexamples:\n"
    "  pgherd agent /etc/pgherd/member.yml\n"
    "  pgherd agent --validate-config /etc/pgherd/member.yml\n"
    "\nsignals: SIGTERM stops PostgreSQL and ends, SIGHUP reads the file again.\n"
    "exit codes: 0 ended in order, 1 the configuration or the store forbids to run, 2 wrong usage.\n";

guard::WatchdogMode watchdog_mode(WatchdogConfig::Mode mode) {
    switch (mode) {
        case WatchdogConfig::Mode::off: return guard::WatchdogMode::off;
        case WatchdogConfig::Mode::automatic: return guard::WatchdogMode::automatic;
        case WatchdogConfig::Mode::required: return guard::WatchdogMode::required;
    }
    return guard::WatchdogMode::off;
}

}  // namespace

int agent_main(const std::vector<std::string>& args) {
    CLI::App cli("Runs one member of a cluster: keeps PostgreSQL, and the agreement on who is the primary.",
                 "pgherd agent");
    cli.footer(kFooter);
    std::string path;
    bool validate = false;
    cli.add_option(
        "CONFIG", path,
        "configuration file, or a directory of *.yml files (default: the variable PATRONI_CONFIGURATION)");
    cli.add_flag("--validate-config", validate, "only check the configuration");
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    try {
        cli.parse(reversed);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return cli.exit(error);
        fmt::print(stderr, "pgherd agent: {}; see `pgherd agent --help`\n", error.what());
        return 2;
    }
    auto config = load_agent_config(path, current_environment());
    if (!config) {
        const bool named = !path.empty() || std::getenv("PATRONI_CONFIGURATION") != nullptr;
        fmt::print(stderr, "pgherd agent: {}{}\n", config.error().message,
                   named ? "" : "; no configuration file was given, see `pgherd agent --help`");
        return 1;
    }
    if (validate) {
        fmt::print("{}: the configuration of member {} of cluster {} is good\n", config->source,
                   config->name.text(), config->scope);
        return 0;
    }
    guard::GuardOptions options;
    options.name = config->name.text();
    options.brain = {"/proc/self/exe", "brain", path};
    options.watchdog = watchdog_mode(config->watchdog.mode);
    options.watchdog_device = config->watchdog.device;
    return guard::run_guard(options);
}

}  // namespace pgherd::app
