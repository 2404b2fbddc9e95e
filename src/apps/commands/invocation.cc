#include "apps/commands/invocation.h"

#include <cstdlib>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

#include "apps/run/backup_file.h"

extern char** environ;

namespace understudy::apps {

namespace {

[[nodiscard]] std::string with_origins(const OptionSpec& spec) {
    constexpr std::size_t help_width = 64;
    const std::string value = value_text({}, spec);
    std::string text = fmt::format("{}", fmt::join(wrapped(spec.doc, help_width), "\n"));
    text += fmt::format("\n[{}, {}", spec.name(), spec.variable());
    if (!spec.short_variable.empty()) text += fmt::format(", {}", spec.short_variable);
    if (!value.empty()) text += fmt::format("; default {}", value);
    return text + "]";
}

[[nodiscard]] Paint paint_of_output() {
    const char* const no_color = std::getenv("NO_COLOR");
    const char* const terminal = std::getenv("TERM");
    if (no_color != nullptr && *no_color != '\0') return Paint::plain;
    if (terminal == nullptr || std::string_view(terminal) == "dumb") return Paint::plain;
    return is_terminal(STDOUT_FILENO) ? Paint::terminal : Paint::plain;
}

}  // namespace

void Globals::add_to(const Command& root) {
    root.option({.names = "--config", .value_name = "FILE",
                 .about = "TOML file with options. Environment and flags override it. "
                          "[UNDERSTUDY_CONFIG]",
                 .completes = Completes::file},
                config_);
    root.option({.names = "-o,--output",
                 .about = "The format of standard output.",
                 .choices = std::string(format_choices)},
                format_);
    root.flag("--json", "Short for --output json.", json_);
    root.flag("-v,--verbose", "The library's events go to standard error.", verbose_);
    add_section(root, client_section);
}

void Globals::add_section(const Command& command, std::string_view section) {
    for (const OptionSpec& spec : option_specs()) {
        if (spec.section == section) add_option(command, spec.name());
    }
}

void Globals::add_option(const Command& command, std::string_view name) {
    const OptionSpec* const spec = find_option(name);
    US_ASSERT(spec != nullptr);
    const auto take = [this, spec](const std::string& text) {
        flags_.push_back({spec->name(), text, spec->flag()});
    };
    if (spec->unit == Unit::flag) {
        return command.flag(spec->flag(), with_origins(*spec), [take] { take("true"); });
    }
    command.option({.names = spec->flag(), .value_name = std::string(spec->value_name),
                    .about = with_origins(*spec),
                    .completes = spec->unit == Unit::path ? Completes::file : Completes::nothing,
                    .choices = std::string(spec->choices)},
                   take);
}

Result<Invocation> Globals::invocation() const {
    std::vector<Given> given;
    const auto add = [&](std::vector<Given> more) {
        given.insert(given.end(), std::make_move_iterator(more.begin()),
                     std::make_move_iterator(more.end()));
    };
    const char* const variable = std::getenv("UNDERSTUDY_CONFIG");
    const std::string path = !config_.empty() ? config_ : variable != nullptr ? variable : "";
    if (!path.empty()) add(US_TRY(given_by_file(path)));
    add(US_TRY(given_by_environment()));
    add(flags_);
    const Format format = US_TRY(parse_format(json_ ? "json" : format_));
    auto effective = US_TRY(merge(given));
    return Invocation{.effective = std::move(effective),
                      .format = format,
                      .paint = paint_of_output(),
                      .verbose = verbose_};
}

std::function<Exit()> Globals::running(
    std::function<Result<Exit>(const Invocation&)> body) const {
    return [this, body = std::move(body)] {
        const auto run = [&]() -> Result<Exit> { return body(US_TRY(invocation())); };
        const Result<Exit> result = run();
        return result ? *result : print_error(result.error());
    };
}

Result<std::vector<Given>> given_by_environment() {
    std::vector<std::pair<std::string, std::string>> environment;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return read_environment(environment);
}

Result<std::vector<Given>> given_by_file(const std::string& path) {
    auto content = read_file(path, config_size_max);
    if (!content) {
        Error error = std::move(content).error();
        // It is a wrong option, unless the system reports another reason.
        if (error.code == Errc::no_such_file || error.code == Errc::bad_path) {
            error.code = Errc::bad_config;
        }
        return error;
    }
    ConfigFile file = read_config(as_text(*content), path);
    if (!file.problems.empty()) {
        const ConfigProblem& first = file.problems.front();
        return advise({.code = Errc::bad_config,
                       .detail = fmt::format("{}:{}:{}: {}", path, first.line, first.column,
                                             first.text)},
                      "understudy config check " + path);
    }
    return std::move(file.given);
}

}  // namespace understudy::apps
