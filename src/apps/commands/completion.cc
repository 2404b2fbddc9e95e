#include "apps/commands/completion.h"

#include <string_view>

#include <fmt/format.h>

namespace understudy::apps {

namespace {

/// The part that does not depend on the commands. `us_` variables belong to the caller's scope.
constexpr std::string_view frame = R"bash(
# Words as typed: bash has split them at : and =, which belong to addresses and to --option=value.
_understudy_join() {
    us_words=()
    local word glue=
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ $word == [:=]* && ${#us_words[@]} -gt 1 ]]; then
            us_words[-1]+=$word
            glue=yes
        elif [[ $glue ]]; then
            us_words[-1]+=$word
            glue=
        else
            us_words+=("$word")
        fi
    done
}

_understudy_services() {
    timeout 0.2 "$1" ${2:+--registry "$2"} service list --output name 2>/dev/null
}

_understudy_values() {
    case $1 in
        file) compgen -f -- "$us_current" ;;
        directory) compgen -d -- "$us_current" ;;
        service)
            compgen -W "$(_understudy_services "${us_words[0]}" "$us_registry")" -- "$us_current"
            ;;
        *=*) compgen -W "${1#*=}" -- "$us_current" ;;
    esac
}

_understudy() {
    local us_words us_current us_registry= us_path= us_commands us_options us_values us_arguments
    local index word kind position=0 pending=
    _understudy_join
    us_current=${us_words[-1]}
    _understudy_table
    for ((index = 1; index < ${#us_words[@]} - 1; ++index)); do
        word=${us_words[index]}
        if [[ $pending ]]; then
            [[ $pending == --registry ]] && us_registry=$word
            pending=
        elif [[ $word == --registry=* ]]; then
            us_registry=${word#*=}
        elif [[ $word == -* ]]; then
            [[ $us_values == *" $word:"* ]] && pending=$word
        elif [[ " $us_commands " == *" $word "* ]]; then
            us_path+=" $word"
            position=0
            _understudy_table
        else
            ((++position))
        fi
    done
    local values=
    if [[ $pending ]]; then
        kind=${us_values#*" $pending:"}
        kind=${kind%% *}
        values=$(_understudy_values "${kind//,/ }")
    elif [[ $us_current == -* ]]; then
        values=$(compgen -W "$us_options" -- "$us_current")
    else
        local -a kinds=($us_arguments)
        values=$(compgen -W "$us_commands" -- "$us_current"
                 _understudy_values "${kinds[position]:-nothing}")
    fi
    local IFS=$'\n'
    COMPREPLY=($values)
    # Bash replaces only what follows the last : of the word.
    if [[ $us_current == *:* ]]; then
        local prefix=${us_current%"${us_current##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    fi
}

complete -F _understudy understudy
)bash";

[[nodiscard]] std::string kind_text(const CommandInfo::Option& option) {
    if (!option.choices.empty()) return fmt::format("={}", fmt::join(option.choices, ","));
    switch (option.completes) {
        case Completes::nothing: return "nothing";
        case Completes::file: return "file";
        case Completes::directory: return "directory";
        case Completes::service: return "service";
    }
    return "nothing";
}

void append_options(const CommandInfo& command, std::string& options, std::string& values) {
    for (const CommandInfo::Option& option : command.options) {
        for (const std::string& name : option.names) {
            const std::string spaced = fmt::format(" {} ", name);
            if (fmt::format(" {} ", options).find(spaced) != std::string::npos) continue;
            options += fmt::format("{}{}", options.empty() ? "" : " ", name);
            if (option.takes_value) values += fmt::format("{}:{} ", name, kind_text(option));
        }
    }
}

void append_cases(std::string& out, const CommandInfo& root, const CommandInfo& command,
                  const std::string& path) {
    std::string options;
    std::string values = " ";
    append_options(command, options, values);
    append_options(root, options, values);  // Every command takes the options of the root.
    std::string commands;
    for (const CommandInfo& one : command.commands) {
        if (!one.hidden) commands += fmt::format("{}{}", commands.empty() ? "" : " ", one.name);
    }
    std::string arguments;
    for (const CommandInfo::Option& one : command.arguments) {
        arguments += fmt::format("{}{}", arguments.empty() ? "" : " ", kind_text(one));
    }
    out += fmt::format(
        "        '{}')\n            us_commands='{}'\n            us_options='{}'\n"
        "            us_values='{}'\n            us_arguments='{}'\n            ;;\n",
        path, commands, options, values, arguments);
    for (const CommandInfo& one : command.commands) {
        if (!one.hidden) append_cases(out, root, one, fmt::format("{} {}", path, one.name));
    }
}

}  // namespace

std::string bash_completion(const CommandInfo& root) {
    std::string out =
        "# bash completion for understudy, made by: understudy completion bash\n\n"
        "_understudy_table() {\n    case $us_path in\n";
    append_cases(out, root, root, "");
    out += "    esac\n}\n";
    return out += frame;
}

}  // namespace understudy::apps
