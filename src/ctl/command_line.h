// The command line of ctl: verbs with their options, without a word about the library that parses them (which
// takes long to compile, and is included in one file only).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ctl/location.h"
#include "ctl/table.h"

namespace CLI {
class App;
}

namespace pgherd::ctl {

struct Context;

// Success, or an error whose code gives the exit code: invalid 2; not_found, unavailable, timeout and denied
// 3; else 1.
using Verb = std::function<Status(Context&)>;

enum class RoleFilter { any, leader, primary, standby_leader, replica };

// One verb while it is being set up. `names` are as people type them, "-s,--set"; what is given must live as
// long as the command line, so verbs keep their options in a shared_ptr that their function holds.
class VerbLine {
  public:
    VerbLine(CLI::App& app, Verb& chosen) : app_(&app), chosen_(&chosen) {}

    void flag(const std::string& names, bool& into, const std::string& help);
    void text(const std::string& names, std::string& into, const std::string& help, const std::string& type);
    void texts(const std::string& names, std::vector<std::string>& into, const std::string& help,
               const std::string& type);  // repeated
    void role(RoleFilter& into);
    void role(std::optional<RoleFilter>& into);
    void format(const std::string& names, Format& into);
    void watch(double& seconds);  // -w SECONDS, -W; 0 = not given
    // What the verb does when it was chosen.
    void runs(Verb verb);

  private:
    template <class Role>
    void any_role(Role& into);

    CLI::App* app_;
    Verb* chosen_;
};

class CommandLine {
  public:
    CommandLine();
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    // A verb with the name of the cluster as an optional argument, as patronictl has it.
    VerbLine verb(const std::string& name, const std::string& about);
    // A verb with names of members; the name of the cluster may stand first.
    VerbLine member_verb(const std::string& name, const std::string& about,
                         std::vector<std::string>& members);

    // Nothing when a verb was chosen; otherwise the exit code, and what there was to say has been said.
    std::optional<int> parse(std::vector<std::string> words);
    const Verb& chosen() const { return chosen_; }
    // With the cluster's name as the scope, if it was given as an argument.
    LocationOptions location() const;
    // bash, zsh or fish, when a completion script is wanted instead of a verb.
    const std::string& shell() const { return shell_; }
    const CLI::App& app() const { return *app_; }

  private:
    std::unique_ptr<CLI::App> app_;
    LocationOptions location_;
    std::string cluster_;
    std::string shell_;
    Verb chosen_;
};

// All of ctl's verbs.
void add_verbs(CommandLine& line);
std::string_view to_string(RoleFilter role);

}  // namespace pgherd::ctl
