#include "apps/commands/command.h"

#include <map>
#include <sstream>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "apps/output.h"
#include "apps/view/nearest.h"

namespace understudy::apps {

struct CommandLine::Parts {
    explicit Parts(const std::string& about) : app(about) {}

    CLI::App app;
    std::map<const CLI::Option*, Parameter> parameters;
    std::map<const CLI::App*, std::function<Exit()>> runs;
    std::map<const CLI::App*, std::string> footers;
};

namespace {

[[nodiscard]] std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = text.find(at);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return parts;
}

// The parser library does not show a group without a name.
constexpr std::string_view hidden_group;

}  // namespace

Command Command::add(const std::string& name, const std::string& about) const {
    CLI::App* app = app_.add_subcommand(name, about);
    app->group("Commands");
    // At most one command per level is accepted, because a service may be called "registry".
    app_.require_subcommand(line_.parts_->runs.contains(&app_) ? 0 : 1, 1);
    return {line_, *app};
}

Command Command::add_hidden(const std::string& name) const {
    const Command command = add(name, "");
    command.app_.group(std::string(hidden_group));
    return command;
}

void Command::note(CLI::Option& option, const Parameter& parameter) const {
    if (!parameter.choices.empty()) {
        // The message lists the choices; the check of the library would print them as a set.
        option.check([choices = parameter.choices](const std::string& given) {
            for (const std::string& choice : split(choices, '|')) {
                if (given == choice) return std::string();
            }
            return fmt::format("expected one of {}, not {}", choices, given);
        });
    }
    const std::string shown = parameter.choices.empty() ? parameter.value_name : parameter.choices;
    if (!shown.empty()) option.option_text(shown);
    line_.parts_->parameters.emplace(&option, parameter);
}

void Command::option(const Parameter& parameter, std::string& target) const {
    note(*app_.add_option(parameter.names, target, parameter.about)->take_last(), parameter);
}

void Command::required_option(const Parameter& parameter, std::string& target) const {
    note(*app_.add_option(parameter.names, target, parameter.about)->take_last()->required(),
         parameter);
}

void Command::option(const Parameter& parameter,
                     std::function<void(const std::string&)> taken) const {
    note(*app_.add_option_function<std::string>(parameter.names, taken, parameter.about)
              ->take_last(),
         parameter);
}

void Command::flag(const std::string& names, const std::string& about, bool& target) const {
    note(*app_.add_flag(names, target, about), {.names = names, .about = about});
}

void Command::flag(const std::string& names, const std::string& about,
                   std::function<void()> taken) const {
    note(*app_.add_flag_callback(names, std::move(taken), about),
         {.names = names, .about = about});
}

void Command::argument(const Parameter& parameter, std::string& target) const {
    CLI::Option* option = app_.add_option(parameter.names, target, parameter.about);
    option->required(parameter.required);
    note(*option, parameter);
}

void Command::arguments(const Parameter& parameter, std::vector<std::string>& target) const {
    CLI::Option* option = app_.add_option(parameter.names, target, parameter.about);
    option->required(parameter.required);
    note(*option, parameter);
}

void Command::runs(std::function<Exit()> run) const {
    line_.parts_->runs[&app_] = std::move(run);
    app_.require_subcommand(0, 1);
}

void Command::footer(const std::string& text) const { line_.parts_->footers[&app_] = text; }

CommandLine::CommandLine(const std::string& name, const std::string& about,
                         const std::string& version)
    : parts_(std::make_unique<Parts>(about)) {
    CLI::App& app = parts_->app;
    app.name(name);
    app.fallthrough();
    app.set_help_flag("-h,--help", "Describes a command.");
    app.set_version_flag("--version", fmt::format("{} {}", name, version), "Prints the version.");
    app.get_formatter()->column_width(34);
    app.get_formatter()->label("Positionals", "Arguments");
    app.get_formatter()->label("SUBCOMMAND", "COMMAND");
    app.get_formatter()->label("SUBCOMMANDS", "COMMANDS");
}

CommandLine::~CommandLine() = default;

Command CommandLine::root() { return {*this, parts_->app}; }

namespace {

using Parameters = std::map<const CLI::Option*, Parameter>;

[[nodiscard]] CommandInfo::Option describe_option(const CLI::Option& option,
                                                  const Parameters& parameters) {
    CommandInfo::Option info;
    for (const std::string& name : option.get_snames()) info.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) info.names.push_back("--" + name);
    info.takes_value = option.get_items_expected_max() > 0;
    const auto found = parameters.find(&option);
    if (found != parameters.end()) {
        info.completes = found->second.completes;
        info.choices = split(found->second.choices, '|');
    }
    return info;
}

[[nodiscard]] CommandInfo describe_command(const CLI::App& app, const Parameters& parameters) {
    CommandInfo info{.name = app.get_name(), .about = app.get_description(),
                     .hidden = app.get_parent() != nullptr && app.get_group() == hidden_group,
                     .options = {}, .arguments = {}, .commands = {}};
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
        auto described = describe_option(*option, parameters);
        (described.names.empty() ? info.arguments : info.options).push_back(std::move(described));
    }
    for (const CLI::App* command :
         app.get_subcommands([](const CLI::App*) { return true; })) {
        info.commands.push_back(describe_command(*command, parameters));
    }
    return info;
}

/// The last command that was named.
[[nodiscard]] CLI::App& innermost(CLI::App& app) {
    const auto parsed = app.get_subcommands();
    return parsed.empty() ? app : innermost(*parsed.front());
}

[[nodiscard]] std::string full_name(const CLI::App& app) {
    if (app.get_parent() == nullptr) return app.get_name();
    return fmt::format("{} {}", full_name(*app.get_parent()), app.get_name());
}

}  // namespace

CommandInfo CommandLine::describe() const {
    return describe_command(parts_->app, parts_->parameters);
}

Exit CommandLine::run(int argc, const char* const* argv) {
    CLI::App& app = parts_->app;
    const auto usage = [&](const std::string& text) {
        tell(fmt::format("understudy: {}\ntry: {} --help\n", text, full_name(innermost(app))));
        return Exit::usage;
    };
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        CLI::App& wanted = innermost(app);
        std::string text = app.help();  // The help of the last command that was named.
        while (text.ends_with("\n\n")) text.pop_back();
        const auto footer = parts_->footers.find(&wanted);
        if (footer != parts_->footers.end()) text += '\n' + footer->second + '\n';
        print(text);
        return Exit::done;
    } catch (const CLI::CallForVersion& version) {
        print(fmt::format("{}\n", version.what()));
        return Exit::done;
    } catch (const CLI::ParseError& error) {
        const std::string unknown = explain_unknown_word(
            describe(), std::vector<std::string>(argv + 1, argv + argc));
        if (!unknown.empty()) return usage(unknown);
        std::string text = error.what();
        for (char& letter : text) {
            if (letter == '\n') letter = ' ';
        }
        return usage(text);
    }
    const auto found = parts_->runs.find(&innermost(app));
    US_ASSERT(found != parts_->runs.end());
    return found->second();
}

std::string explain_unknown_word(const CommandInfo& root,
                                 const std::vector<std::string>& arguments) {
    const CommandInfo* at = &root;
    const auto find_in = [](const CommandInfo& info, const std::string& name) {
        for (const auto& option : info.options) {
            for (const std::string& known : option.names) {
                if (known == name) return &option;
            }
        }
        return static_cast<const CommandInfo::Option*>(nullptr);
    };
    for (std::size_t index = 0; index < arguments.size(); ++index) {
        const std::string& word = arguments[index];
        if (word == "--") break;
        if (word.size() > 1 && word.front() == '-') {
            const std::string name = word.substr(0, word.find('='));
            const CommandInfo::Option* option = find_in(*at, name);
            if (option == nullptr) option = find_in(root, name);
            if (option == nullptr && name.starts_with("--")) {
                std::vector<std::string> known;
                for (const CommandInfo* info : {at, &root}) {
                    for (const auto& one : info->options) {
                        known.insert(known.end(), one.names.begin(), one.names.end());
                    }
                }
                const auto near = nearest(name, known);
                return fmt::format("no option {}{}", name,
                                   near ? fmt::format("; did you mean {}?", *near) : "");
            }
            if (option != nullptr && option->takes_value && name == word) ++index;
            continue;
        }
        const CommandInfo* next = nullptr;
        std::vector<std::string> known;
        for (const CommandInfo& command : at->commands) {
            if (command.name == word) next = &command;
            if (!command.hidden) known.push_back(command.name);
        }
        if (next == nullptr) {
            if (at->commands.empty()) continue;  // It is an argument.
            const auto near = nearest(word, known);
            return fmt::format("no command {}{}", word,
                               near ? fmt::format("; did you mean {}?", *near) : "");
        }
        at = next;
    }
    return {};
}

}  // namespace understudy::apps
