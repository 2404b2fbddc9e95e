#include "apps/commands/meta_commands.h"

#include <memory>

#include <fmt/format.h>

#include "apps/commands/completion.h"
#include "apps/commands/error_codes.h"
#include "apps/run/backup_file.h"
#include "apps/view/nearest.h"

namespace understudy::apps {

using wire::Dynamic;

namespace {

Result<Exit> check_config(const Invocation& invocation, const std::string& path) {
    const Buffer content = US_TRY(read_file(path, config_size_max));
    const ConfigFile file = read_config(as_text(content), path);
    if (invocation.for_people()) {
        for (const ConfigProblem& one : file.problems) {
            print(fmt::format("{}:{}:{}: {}\n", path, one.line, one.column, one.text));
        }
        if (file.problems.empty()) {
            print(fmt::format("{}: good, {} option(s)\n", path, file.given.size()));
        }
        return file.problems.empty() ? Exit::done : Exit::no;
    }
    Listing listing{.columns = {{.key = "file", .title = "FILE"},
                                {.key = "line", .title = "LINE"},
                                {.key = "column", .title = "COLUMN"},
                                {.key = "problem", .title = "PROBLEM"}},
                    .rows = {},
                    .name_key = "line"};
    for (const ConfigProblem& one : file.problems) {
        listing.rows.push_back({{"file", path}, {"line", one.line}, {"column", one.column},
                                {"problem", one.text}});
    }
    print(to_text(listing, invocation.format, invocation.paint));
    return file.problems.empty() ? Exit::done : Exit::no;
}

Result<Exit> show_config(const Invocation& invocation, ShowOrigin origin) {
    if (invocation.for_people()) {
        print(to_toml(invocation.effective, origin));
        return Exit::done;
    }
    Listing listing{.columns = {{.key = "option", .title = "OPTION"},
                                {.key = "value", .title = "VALUE"},
                                {.key = "origin", .title = "ORIGIN"}},
                    .rows = {},
                    .name_key = "option"};
    const auto& origins = invocation.effective.origins;
    for (const OptionSpec& spec : option_specs()) {
        const auto found = origins.find(spec.name());
        listing.rows.push_back({{"option", spec.name()},
                                {"value", value_text(invocation.settings(), spec)},
                                {"origin", found == origins.end() ? "default" : found->second}});
    }
    print(to_text(listing, invocation.format, invocation.paint));
    return Exit::done;
}

Result<Exit> explain_codes(const Invocation& invocation, const std::string& wanted) {
    Listing listing{.columns = {{.key = "code", .title = "CODE"},
                                {.key = "meaning", .title = "MEANING"},
                                {.key = "what_to_do", .title = "WHAT TO DO"}},
                    .rows = {},
                    .name_key = "code"};
    std::vector<std::string> known;
    for (const ErrorCode& one : error_codes()) {
        known.emplace_back(name(one.code));
        if (!wanted.empty() && wanted != name(one.code)) continue;
        listing.rows.push_back({{"code", std::string(name(one.code))},
                                {"number", static_cast<std::uint16_t>(one.code)},
                                {"meaning", one.meaning},
                                {"what_to_do", one.what_to_do}});
    }
    if (listing.rows.empty()) {
        const auto near = nearest(wanted, known);
        return advise({.code = Errc::not_found, .detail = fmt::format("no error code {}", wanted)},
                      near ? "understudy explain " + *near : "understudy explain");
    }
    if (!wanted.empty() && invocation.for_people()) {
        const auto& row = listing.rows.front();
        print(fmt::format("{}: {}\n{}\n", wanted, cell_text(row.at("meaning")),
                          cell_text(row.at("what_to_do"))));
    } else {
        print(to_text(listing, invocation.format, invocation.paint));
    }
    return Exit::done;
}

void add_config_commands(const Command& root, Globals& globals) {
    const Command config = root.add("config", "Configuration files and effective options.");
    const auto path = std::make_shared<std::string>();
    const Command checking =
        config.add("check", "Reads a file and reports everything that is wrong with it.");
    checking.argument({.names = "file", .value_name = "FILE", .about = "A TOML file.",
                       .completes = Completes::file},
                      *path);
    checking.runs(globals.running(
        [path](const Invocation& invocation) { return check_config(invocation, *path); }));
    checking.footer("Exit code 1: something is wrong with it.");

    const auto origin = std::make_shared<bool>(false);
    const Command showing = config.add("show", "All options with their effective values, as TOML.");
    showing.flag("--origin", "Says where each value comes from.", *origin);
    showing.runs(globals.running([origin](const Invocation& invocation) {
        return show_config(invocation, *origin ? ShowOrigin::yes : ShowOrigin::no);
    }));

    const auto section = std::make_shared<std::string>();
    const Command reference = config.add_hidden("reference");  // For docs/.
    reference.argument({.names = "section", .about = "", .choices = "registry|coordinator|client"},
                       *section);
    reference.runs(globals.running([section](const Invocation&) -> Result<Exit> {
        print(reference_table(*section));
        return Exit::done;
    }));
}

}  // namespace

void add_meta_commands(CommandLine& line, Globals& globals) {
    const Command root = line.root();
    add_config_commands(root, globals);

    const auto code = std::make_shared<std::string>();
    const Command explaining = root.add("explain", "What an error code means and what to do.");
    explaining.argument({.names = "code",
                         .value_name = "CODE",
                         .about = "The code, as messages show it in brackets. Default: all codes.",
                         .required = false},
                        *code);
    explaining.runs(globals.running(
        [code](const Invocation& invocation) { return explain_codes(invocation, *code); }));

    const auto shell = std::make_shared<std::string>();
    const Command completing = root.add("completion", "Prints a script that completes commands.");
    completing.argument({.names = "shell", .about = "The shell.", .choices = "bash"}, *shell);
    completing.runs([&line, shell] {
        print(bash_completion(line.describe()));
        return Exit::done;
    });
    completing.footer("For this shell: source <(understudy completion bash)");
}

}  // namespace understudy::apps
