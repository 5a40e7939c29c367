#include "ctl/command_line.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::ctl {
namespace {

constexpr int kUsage = 2;
constexpr double kWatchEvery = 2;

const std::map<std::string, RoleFilter> kRoles{
    {"any", RoleFilter::any},         {"leader", RoleFilter::leader},
    {"primary", RoleFilter::primary}, {"standby-leader", RoleFilter::standby_leader},
    {"replica", RoleFilter::replica}, {"standby", RoleFilter::replica}};

const std::map<std::string, Format> kFormats{{"pretty", Format::pretty},
                                             {"tsv", Format::tsv},
                                             {"json", Format::json},
                                             {"yaml", Format::yaml},
                                             {"yml", Format::yaml}};

constexpr const char* kFooter =
    R"(Where the cluster is: --dir, -c or --store; without them $PGHERD_DIR, $PATRONICTL_CONFIG_FILE, ~/.pgherd/default.
Options that say where may stand before or after the verb.

Examples:
  pgherd ctl list                                    the cluster of `pgherd up`
  pgherd ctl --dir D list --format json              another directory
  pgherd ctl -c /etc/patroni.yml switchover --force  a cluster of agents
  pgherd ctl --store etcd://10.0.0.1:2379 --scope demo edit-config -s ttl=10 --force

Exit codes: 0 done, 1 the operation failed, 2 usage, 3 the cluster or its store was not found or cannot be reached.)";

// The value of a word that is one of a few; what they are is said when it is none of them.
template <class Value>
Value one_of(const std::map<std::string, Value>& values, const std::string& option, const std::string& word) {
    if (auto found = values.find(word); found != values.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [name, value] : values) names.push_back(name);
    throw CLI::ValidationError(option, fmt::format("\"{}\" is none of {}", word, join(names, ", ")));
}

// What was wrong and where to look; the library's own words do not name a verb that there is not.
std::string mistake(const CLI::App& app, const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::vector<std::string> left = app.remaining(true);
    std::string what = error.what();
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) && chosen.empty() &&
        left.empty())
        what = "no verb is given";
    else if (!left.empty())
        what = left.front().starts_with('-') ? fmt::format("there is no option \"{}\"", left.front())
               : chosen.empty()              ? fmt::format("there is no verb \"{}\"", left.front())
                                             : fmt::format("\"{}\" is one word too many", left.front());
    return fmt::format("pgherd ctl: {}; see `pgherd ctl {}--help`", what,
                       chosen.empty() ? "" : chosen.front()->get_name() + " ");
}

}  // namespace

std::string_view to_string(RoleFilter role) {
    return std::ranges::find(kRoles, role, &std::pair<const std::string, RoleFilter>::second)->first;
}

void VerbLine::flag(const std::string& names, bool& into, const std::string& help) {
    app_->add_flag(names, into, help);
}

void VerbLine::text(const std::string& names, std::string& into, const std::string& help,
                    const std::string& type) {
    app_->add_option(names, into, help)->type_name(type);
}

void VerbLine::texts(const std::string& names, std::vector<std::string>& into, const std::string& help,
                     const std::string& type) {
    app_->add_option(names, into, help)->type_name(type)->allow_extra_args(false);
}

template <class Role>
void VerbLine::any_role(Role& into) {
    app_->add_option_function<std::string>(
            "-r,--role", [&into](const std::string& word) { into = one_of(kRoles, "--role", word); },
            "Only members with this role: leader, primary, standby-leader, replica, any")
        ->type_name("ROLE");
}

void VerbLine::role(RoleFilter& into) {
    any_role(into);
}
void VerbLine::role(std::optional<RoleFilter>& into) {
    any_role(into);
}

void VerbLine::format(const std::string& names, Format& into) {
    app_->add_option_function<std::string>(
            names, [&into](const std::string& word) { into = one_of(kFormats, "--format", word); },
            "pretty, tsv, json or yaml")
        ->type_name("FORMAT");
}

void VerbLine::watch(double& seconds) {
    app_->add_option("-w,--watch", seconds, "Again every so many seconds")
        ->type_name("SECONDS")
        ->check(CLI::Validator(CLI::PositiveNumber).description(""));
    app_->add_flag_callback("-W", [&seconds] { seconds = kWatchEvery; }, "Again every 2 seconds");
}

void VerbLine::runs(Verb verb) {
    app_->callback([chosen = chosen_, verb = std::move(verb)] { *chosen = verb; });
}

CommandLine::CommandLine()
    : app_(std::make_unique<CLI::App>("Shows and operates a cluster, with patronictl's verbs.",
                                      "pgherd ctl")) {
    app_->footer(kFooter);
    app_->require_subcommand(1);
    app_->fallthrough();
    // An empty one is a variable that is not set, and must not find the default cluster.
    const auto not_empty = [](const std::string& value) {
        return std::string(value.empty() ? "it must not be empty" : "");
    };
    app_->add_option("--dir", location_.dir, "Directory of `pgherd up`")->type_name("DIR")->check(not_empty);
    app_->add_option("-c,--config,--config-file", location_.config,
                     "An agent's or patronictl's configuration")
        ->type_name("FILE")
        ->check(not_empty);
    app_->add_option("--store,--dcs-url,--dcs", location_.store,
                     "etcd://host:port[,host:port][/namespace] or sqlite:/path")
        ->type_name("URL")
        ->check(not_empty);
    app_->add_option("--scope", location_.scope, "Name of the cluster, if the store holds several")
        ->type_name("NAME");
    app_->add_flag("-k,--insecure", location_.insecure, "Do not verify the members' certificates");
    add_verbs(*this);
    CLI::App* completion = app_->add_subcommand("completion", "Print a completion script for a shell");
    completion->add_option("shell", shell_, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

CommandLine::~CommandLine() = default;

VerbLine CommandLine::verb(const std::string& name, const std::string& about) {
    CLI::App* verb = app_->add_subcommand(name, about);
    verb->add_option("cluster", cluster_, "Name of the cluster, if the store holds several");
    return {*verb, chosen_};
}

VerbLine CommandLine::member_verb(const std::string& name, const std::string& about,
                                  std::vector<std::string>& members) {
    CLI::App* verb = app_->add_subcommand(name, about);
    verb->add_option("members", members, "Names of members; the name of the cluster may stand first");
    return {*verb, chosen_};
}

std::optional<int> CommandLine::parse(std::vector<std::string> words) {
    std::ranges::reverse(words);
    try {
        app_->parse(words);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app_->exit(error);  // --help
        fmt::print(stderr, "{}\n", mistake(*app_, error));
        return kUsage;
    }
    return std::nullopt;
}

LocationOptions CommandLine::location() const {
    LocationOptions location = location_;
    if (location.scope.empty()) location.scope = cluster_;
    return location;
}

}  // namespace pgherd::ctl
