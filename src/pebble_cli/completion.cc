// A completion script for bash, made from the tables that the program itself reads: commands, options, their
// choices; names of services and checks are asked of the supervisor.
#include "base/text.h"
#include "pebble_cli/command.h"

namespace pgherd::pebble_cli {
namespace {

std::string options_case(const Command& command) {
    std::vector<std::string> words;
    for (const OptionSpec& option : command.options)
        for (std::string_view name : {option.name, option.letter})
            if (!name.empty()) words.emplace_back(name);
    std::string kind;
    if (command.words.find("service") != std::string_view::npos) kind = "services";
    if (command.words.find("<check>") != std::string_view::npos) kind = "checks";
    if (command.words.find("path") != std::string_view::npos) kind = "files";
    return fmt::format("        {}) options=\"{}\" kind={} ;;\n", command.name, join(words, " "), kind);
}

}  // namespace

std::string completion_script() {
    std::vector<std::string> names;
    std::string cases, choices;
    for (const Command& command : commands()) {
        if (command.group.empty()) continue;
        names.emplace_back(command.name);
        cases += options_case(command);
        for (const OptionSpec& option : command.options)
            if (!option.choices.empty()) {
                const std::string line = fmt::format("        {}) words=\"{}\" ;;\n", option.name,
                                                     join(split(option.choices, '|'), " "));
                if (choices.find(line.substr(0, line.find(')'))) == std::string::npos) choices += line;
            }
    }
    return fmt::format(R"(# source <(pgherd supervisor completion bash)
_pebble_words() {{
    local first=$1 word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[$1]}} options= kind= words=
    local program=("${{COMP_WORDS[@]:0:$1}}")
    if [[ $COMP_CWORD -eq $first ]]; then
        COMPREPLY=($(compgen -W "{0}" -- "$word"))
        return
    fi
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
{1}        --from|--identities) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --context) words=$("${{program[@]}}" __names services 2>/dev/null) ;;
    esac
    if [[ -z $words ]]; then
        case $command in
{2}        esac
        if [[ $word == -* ]]; then
            words=$options
        elif [[ $command == help ]]; then
            words="{0}"
        else
            case $kind in
                services|checks) words+=$'\n'$("${{program[@]}}" __names $kind 2>/dev/null) ;;
                files) COMPREPLY=($(compgen -f -- "$word")); return ;;
            esac
        fi
    fi
    local IFS=$' \n'
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
_pebble() {{ _pebble_words 1; }}
_pgherd_supervisor() {{
    if [[ ${{COMP_WORDS[1]}} == supervisor && $COMP_CWORD -gt 1 ]]; then
        _pebble_words 2
    elif declare -F _pgherd >/dev/null; then
        _pgherd
    else
        COMPREPLY=($(compgen -W "agent up down ctl supervisor writes" -- "${{COMP_WORDS[COMP_CWORD]}}"))
    fi
}}
complete -F _pebble pebble
complete -F _pgherd_supervisor pgherd
)",
                       join(names, " "), choices, cases);
}

}  // namespace pgherd::pebble_cli
