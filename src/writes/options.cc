#include "writes/options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"

namespace pgherd::writes {
namespace {

constexpr int kUsage = 2;

constexpr const char* kAbout =
    "Writes an increasing number per transaction, reconnects when the connection breaks, and reports at the "
    "end what was\n"
    "lost, what is there twice, and for how long nothing was acknowledged.";

constexpr const char* kExamples = R"(Examples:
  pgherd writes --dsn "host=10.0.0.1,10.0.0.2,10.0.0.3 user=app dbname=app password=secret" --duration 60s
      One row every 10 ms for a minute; the report goes to standard output.
  pgherd writes --dsn "postgresql://app@127.0.0.1:5432,127.0.0.1:5433/app" --report run.json --progress
      Until Ctrl-C, with a line every second; the report goes to a file.
  pgherd writes --dsn "host=10.0.0.2 user=app dbname=app" --verify run.json
      Only checks that the table still holds what that run got acknowledged.

Each host of the connection string is tried by itself, all at once, for --connect-timeout and again 20 ms later; the first
that takes writes wins. A value whose outcome is unknown (the connection broke before the answer) is never written again,
and counts neither as lost nor as duplicated. A second Ctrl-C skips the check at the end.

Exit codes: 0 nothing lost or duplicated, 1 something is, 2 usage, 3 no connection, or the check was impossible.)";

// A duration above zero; CLI11 shows what is thrown.
Duration positive(const std::string& option, const std::string& text) {
    auto duration = parse_duration(text);
    if (!duration) throw CLI::ValidationError(option, duration.error().message);
    if (*duration <= Duration::zero()) throw CLI::ValidationError(option, "must be more than 0");
    return *duration;
}

void add_duration(CLI::App& app, const std::string& option, const char* default_text, Duration& into,
                  const std::string& help) {
    app.add_option_function<std::string>(
           option, [&into, option](const std::string& text) { into = positive(option, text); }, help)
        ->type_name("TIME")
        ->default_str(default_text);
}

std::expected<Options, int> checked(Options options, const std::string& dsn) {
    auto complain = [](const std::string& text) {
        fmt::print(stderr, "{}\nRun `pgherd writes --help` for more information.\n", text);
        return std::unexpected(kUsage);
    };
    auto hosts = split_hosts(dsn);
    if (!hosts) return complain("--dsn: " + hosts.error().message);
    options.hosts = std::move(*hosts);
    if (options.append && options.run.empty())
        return complain(
            "--append: needs --run, the name of the run to go on with (the \"run\" of its report)");
    return options;
}

}  // namespace

std::expected<Options, int> read_options(std::span<const std::string> args) {
    Options options;
    std::string dsn;
    Duration duration{};
    CLI::App app{kAbout, "pgherd writes"};
    app.footer(kExamples);
    app.add_option("--dsn", dsn, "libpq connection string or URI; may name several hosts")
        ->required()
        ->type_name("DSN");
    add_duration(app, "--interval", "10ms", options.interval,
                 "From the start of one transaction to the next");
    add_duration(app, "--duration", "until Ctrl-C", duration,
                 "How long to write, from the first connection on");
    add_duration(app, "--statement-timeout", "2s", options.statement_timeout,
                 "The socket is shut when an answer takes longer");
    add_duration(app, "--connect-timeout", "300ms", options.pace.bound, "For one attempt on one host");
    add_duration(app, "--wait", "30s", options.wait,
                 "For a primary, at the start and for the check at the end");
    app.add_option("--table", options.table, "Created if it does not exist; may have a schema")
        ->capture_default_str();
    app.add_option("--run", options.run, "Name of this run in the table")
        ->default_str("a fresh one")
        ->type_name("NAME");
    app.add_flag("--append", options.append, "Go on with --run after its highest value");
    app.add_option("--report", options.report, "Where the JSON report goes")
        ->default_str("stdout")
        ->type_name("FILE");
    app.add_flag("--progress", options.progress, "A line every second on standard error (as on a terminal)");
    app.add_option("--verify", options.verify, "Write nothing; check the table against this report")
        ->type_name("REPORT");
    try {
        std::vector<std::string> reversed(args.rbegin(), args.rend());
        app.parse(reversed);
    } catch (const CLI::ParseError& error) {
        int code = app.exit(error);
        return std::unexpected(code == 0 ? 0 : kUsage);
    }
    if (duration > Duration::zero()) options.duration = duration;
    options.progress = options.progress || ::isatty(STDERR_FILENO);
    return checked(std::move(options), dsn);
}

}  // namespace pgherd::writes
