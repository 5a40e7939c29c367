#include "ctl/completion.h"

#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.h"

namespace pgherd::ctl {
namespace {

std::vector<const CLI::App*> verbs(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> flags(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
        for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    }
    return names;
}

std::vector<std::string> verb_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* verb : verbs(app)) names.push_back(verb->get_name());
    return names;
}

std::string bash_script(const CLI::App& app) {
    std::string cases;
    for (const CLI::App* verb : verbs(app)) {
        std::string extra = verb->get_name() == "completion" ? " bash zsh fish"
                            : verb->get_name() == "flush"    ? " restart switchover"
                                                             : "";
        cases +=
            fmt::format("        {}) words=\"{}{}\" ;;\n", verb->get_name(), join(flags(*verb), " "), extra);
    }
    return fmt::format(R"(# source <(pgherd ctl completion bash)
_pgherd() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} verb= words= i
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "agent up down ctl writes" -- "$word"))
        return
    fi
    [[ ${{COMP_WORDS[1]}} == ctl ]] || return
    for ((i = 2; i < COMP_CWORD; i++)); do
        case " {0} " in *" ${{COMP_WORDS[i]}} "*) verb=${{COMP_WORDS[i]}}; break ;; esac
    done
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
        --dir) COMPREPLY=($(compgen -d -- "$word")); return ;;
        --config|--config-file|--file|--apply|--replace) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --format) COMPREPLY=($(compgen -W "pretty tsv json yaml" -- "$word")); return ;;
        --role|-r) COMPREPLY=($(compgen -W "leader primary standby-leader replica any" -- "$word")); return ;;
    esac
    case $verb in
{1}        *) words="{0}" ;;
    esac
    COMPREPLY=($(compgen -W "$words {2}" -- "$word"))
}}
complete -F _pgherd pgherd
)",
                       join(verb_names(app), " "), cases, join(flags(app), " "));
}

// zsh runs bash's completions.
std::string zsh_script(const CLI::App& app) {
    return "# source <(pgherd ctl completion zsh)\nautoload -U +X bashcompinit && bashcompinit\n" +
           bash_script(app);
}

std::string fish_quoted(std::string_view text) {
    std::string quoted;
    for (char c : text) quoted += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    return "'" + quoted + "'";
}

std::string fish_option(const CLI::Option& option, const std::string& condition) {
    std::string line = fmt::format("complete -c pgherd -n {}", fish_quoted(condition));
    for (const std::string& name : option.get_lnames()) line += " -l " + name;
    for (const std::string& name : option.get_snames()) line += " -s " + name;
    if (option.get_items_expected_max() > 0) line += " -r";
    return line + " -d " + fish_quoted(option.get_description()) + "\n";
}

std::string fish_script(const CLI::App& app) {
    std::string names = join(verb_names(app), " ");
    std::string script = "# pgherd ctl completion fish | source\n";
    for (const CLI::App* verb : verbs(app)) {
        script += fmt::format(
            "complete -c pgherd -f -n '__fish_seen_subcommand_from ctl; and not __fish_seen_subcommand_from "
            "{}' -a {} -d {}\n",
            names, verb->get_name(), fish_quoted(verb->get_description()));
        for (const CLI::Option* option : verb->get_options())
            if (!option->get_lnames().empty() || !option->get_snames().empty())
                script +=
                    fish_option(*option, fmt::format("__fish_seen_subcommand_from {}", verb->get_name()));
    }
    for (const CLI::Option* option : app.get_options())
        script += fish_option(*option, "__fish_seen_subcommand_from ctl");
    return script;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
    if (shell == "fish") return fish_script(app);
    return shell == "zsh" ? zsh_script(app) : bash_script(app);
}

}  // namespace pgherd::ctl
