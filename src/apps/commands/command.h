#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/exit.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace understudy::apps {

/// What the shell completes for a value.
enum class Completes : std::uint8_t { nothing, file, directory, service };

/// One option or argument of a command, for the parser, `--help` and the shell.
struct Parameter {
    std::string names;  ///< "-o,--output"; for an argument: its name in lower case.
    std::string value_name = {};
    std::string about;
    Completes completes = Completes::nothing;
    std::string choices = {};  ///< "a|b": other values are refused.
    bool required = true;      ///< For arguments; options are never required.
};

/// The options and arguments of a command, as data.
struct CommandInfo {
    struct Option {
        std::vector<std::string> names;
        bool takes_value = false;
        Completes completes = Completes::nothing;
        std::vector<std::string> choices;
    };
    std::string name;
    std::string about;
    bool hidden = false;
    std::vector<Option> options;
    std::vector<Option> arguments;
    std::vector<CommandInfo> commands;
};

class CommandLine;

/// One command of the program. This is a handle: copies are the same command.
///
/// The variables that it fills must live until CommandLine::run() returns.
class Command {
public:
    [[nodiscard]] Command add(const std::string& name, const std::string& about) const;
    /// As add(), but it appears neither in `--help` nor in the completion.
    [[nodiscard]] Command add_hidden(const std::string& name) const;

    void option(const Parameter& parameter, std::string& target) const;
    void option(const Parameter& parameter, std::function<void(const std::string&)> taken) const;
    void required_option(const Parameter& parameter, std::string& target) const;
    void flag(const std::string& names, const std::string& about, bool& target) const;
    void flag(const std::string& names, const std::string& about,
              std::function<void()> taken) const;
    void argument(const Parameter& parameter, std::string& target) const;
    /// The rest of the command line.
    void arguments(const Parameter& parameter, std::vector<std::string>& target) const;

    /// A command without this needs one of its subcommands.
    void runs(std::function<Exit()> run) const;
    /// Shown at the end of its own `--help`, but not in that of its subcommands.
    void footer(const std::string& text) const;

private:
    friend class CommandLine;
    Command(CommandLine& line, CLI::App& app) : line_(line), app_(app) {}
    void note(CLI::Option& option, const Parameter& parameter) const;

    CommandLine& line_;
    CLI::App& app_;
};

/// The command line of the program. Only this class uses the parser library.
class CommandLine {
public:
    CommandLine(const std::string& name, const std::string& about, const std::string& version);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    [[nodiscard]] Command root();
    [[nodiscard]] CommandInfo describe() const;

    /// Parses the command line and runs the command. Help goes to standard output; an invalid
    /// command line is explained on standard error.
    [[nodiscard]] Exit run(int argc, const char* const* argv);

private:
    friend class Command;
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// The first word of `arguments` that is not a command where one is needed, with the command that
/// was probably meant: "no command servce; did you mean service?". Empty if there is none.
[[nodiscard]] std::string explain_unknown_word(const CommandInfo& root,
                                               const std::vector<std::string>& arguments);

}  // namespace understudy::apps
