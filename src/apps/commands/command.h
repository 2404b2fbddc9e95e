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

/// What the shell offers where a value is wanted.
enum class Completes : std::uint8_t { nothing, file, directory, service };

/// One option or argument of a command, for the parser, `--help` and the shell.
struct Parameter {
    std::string names;  ///< "-o,--output"; of an argument: its name in lower case.
    std::string value_name = {};
    std::string about;
    Completes completes = Completes::nothing;
    std::string choices = {};  ///< "a|b": nothing else is taken.
    bool required = true;      ///< Of arguments; options never are.
};

/// What a command takes, as data.
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

/// One command of the program. A handle: copies are the same command.
///
/// What it fills must live until CommandLine::run() returns.
class Command {
public:
    [[nodiscard]] Command add(const std::string& name, const std::string& about) const;
    /// As add(), but neither in `--help` nor in the completion.
    [[nodiscard]] Command add_hidden(const std::string& name) const;

    void option(const Parameter& parameter, std::string& target) const;
    void option(const Parameter& parameter, std::function<void(const std::string&)> taken) const;
    void required_option(const Parameter& parameter, std::string& target) const;
    void flag(const std::string& names, const std::string& about, bool& target) const;
    void flag(const std::string& names, const std::string& about,
              std::function<void()> taken) const;
    void argument(const Parameter& parameter, std::string& target) const;
    /// The rest of the line.
    void arguments(const Parameter& parameter, std::vector<std::string>& target) const;

    /// A command that runs nothing itself wants one of its own commands.
    void runs(std::function<Exit()> run) const;
    /// Shown at the end of its own `--help`, not of those below it.
    void footer(const std::string& text) const;

private:
    friend class CommandLine;
    Command(CommandLine& line, CLI::App& app) : line_(line), app_(app) {}
    void note(CLI::Option& option, const Parameter& parameter) const;

    CommandLine& line_;
    CLI::App& app_;
};

/// The command line of the program: the only one who knows the parser's library.
class CommandLine {
public:
    CommandLine(const std::string& name, const std::string& about, const std::string& version);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    [[nodiscard]] Command root();
    [[nodiscard]] CommandInfo describe() const;

    /// Parses and runs the command that was named. Help goes to standard output; a line that makes
    /// no sense is explained on standard error.
    [[nodiscard]] Exit run(int argc, const char* const* argv);

private:
    friend class Command;
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// The first word of `arguments` that is no command where one is wanted, with what was probably
/// meant: "no command servce; did you mean service?". Empty if there is none.
[[nodiscard]] std::string explain_unknown_word(const CommandInfo& root,
                                               const std::vector<std::string>& arguments);

}  // namespace understudy::apps
