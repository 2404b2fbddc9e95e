#include "apps/config/configuration.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "apps/view/nearest.h"
#include "base/escape.h"

namespace understudy::apps {

namespace {

[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       const std::vector<std::string>& candidates) {
    const auto near = nearest(word, candidates);
    return near ? fmt::format("; did you mean {}?", *near) : "";
}

/// The text for assign(), or nothing if the type of the value is wrong for the option.
[[nodiscard]] std::optional<std::string> toml_text(const OptionSpec& spec, const toml::node& node) {
    if (const auto flag = node.value_exact<bool>()) {
        if (spec.unit != Unit::flag) return std::nullopt;
        return *flag ? "true" : "false";
    }
    if (spec.unit == Unit::flag) return std::nullopt;
    if (const auto text = node.value_exact<std::string>()) return *text;
    const auto number = node.value_exact<std::int64_t>();
    if (number && (spec.unit == Unit::bytes || spec.unit == Unit::number)) {
        return std::to_string(*number);
    }
    return std::nullopt;
}

class Reader {
public:
    Reader(const std::string& file_name, ConfigFile& out) : file_name_(file_name), out_(out) {}

    void read(const toml::table& root) {
        for (const auto& [key, node] : root) {
            const std::string section(key.str());
            const auto sections = section_names();
            const toml::table* table = node.as_table();
            if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
                problem(key.source(), fmt::format("unknown {} {}{}", table ? "section" : "key",
                                                  section, did_you_mean(section, sections)));
            } else if (table == nullptr) {
                problem(key.source(), fmt::format("{0} is a section: [{0}]", section));
            } else {
                read_section(section, *table);
            }
        }
        std::stable_sort(out_.problems.begin(), out_.problems.end(),
                         [](const ConfigProblem& left, const ConfigProblem& right) {
                             return left.line < right.line;
                         });
    }

private:
    void read_section(const std::string& section, const toml::table& table) {
        for (const auto& [key, node] : table) {
            const std::string name = fmt::format("{}.{}", section, key.str());
            const OptionSpec* spec = find_option(name);
            if (spec == nullptr) {
                problem(key.source(),
                        fmt::format("unknown key {}{}", name, did_you_mean(name, option_names())));
                continue;
            }
            const auto text = toml_text(*spec, node);
            if (!text) {
                const bool timed = spec->unit == Unit::milliseconds && node.is_number();
                problem(
                    node.source(),
                    fmt::format("{}: a {} is not a valid value{}", name, type_name(node),
                                timed ? ": text with its unit, as in \"5s\" (ms, s, m or h)" : ""));
                continue;
            }
            Settings scratch;
            if (auto done = assign(scratch, *spec, *text); !done) {
                problem(node.source(), done.error().detail);
                continue;
            }
            out_.given.push_back(
                {name, *text, fmt::format("{}:{}", file_name_, key.source().begin.line)});
        }
    }

    [[nodiscard]] static std::string_view type_name(const toml::node& node) {
        if (node.is_string()) return "text";
        if (node.is_integer()) return "number without a unit";
        if (node.is_floating_point()) return "number with a point";
        if (node.is_boolean()) return "truth value";
        if (node.is_table()) return "table";
        if (node.is_array()) return "list";
        return "date";
    }

    void problem(const toml::source_region& where, std::string text) {
        out_.problems.push_back({where.begin.line, where.begin.column, std::move(text)});
    }

    const std::string& file_name_;
    ConfigFile& out_;
};

// TOML has the escapes of JSON.
[[nodiscard]] std::string toml_quoted(std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
}

}  // namespace

ConfigFile read_config(std::string_view toml, const std::string& file_name) {
    ConfigFile file;
    try {
        Reader(file_name, file).read(toml::parse(toml, file_name));
    } catch (const toml::parse_error& error) {
        file.problems.push_back({error.source().begin.line, error.source().begin.column,
                                 std::string(error.description())});
    }
    return file;
}

Result<std::vector<Given>> read_environment(
    const std::vector<std::pair<std::string, std::string>>& environment) {
    std::vector<std::string> known;
    for (const OptionSpec& spec : option_specs()) known.push_back(spec.variable());
    std::vector<Given> given;
    std::vector<Given> given_long;  // The long name takes precedence over the short one.
    for (const auto& [variable, text] : environment) {
        bool found = false;
        for (const OptionSpec& spec : option_specs()) {
            const bool exact = variable == spec.variable();
            if (!exact && (spec.short_variable.empty() || variable != spec.short_variable)) {
                continue;
            }
            (exact ? given_long : given).push_back({spec.name(), text, variable});
            found = true;
        }
        if (!found && variable.starts_with("UNDERSTUDY__")) {
            return Error{.code = Errc::bad_config,
                         .detail = fmt::format("the environment variable {} is not an option{}",
                                               variable, did_you_mean(variable, known))};
        }
    }
    given.insert(given.end(), given_long.begin(), given_long.end());
    return given;
}

Result<Effective> merge(const std::vector<Given>& given) {
    Effective effective;
    for (const Given& one : given) {
        const OptionSpec* spec = find_option(one.name);
        US_ASSERT(spec != nullptr);
        if (auto done = assign(effective.settings, *spec, one.text); !done) {
            Error error = std::move(done).error();
            error.detail = fmt::format("{}: {}", one.origin, error.detail);
            return error;
        }
        effective.origins[one.name] = one.origin;
    }
    return effective;
}

std::string to_toml(const Effective& effective, ShowOrigin origin) {
    std::string out;
    for (const std::string& section : section_names()) {
        out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
        for (const OptionSpec& spec : option_specs()) {
            if (spec.section != section) continue;
            const std::string text = value_text(effective.settings, spec);
            const bool bare = spec.unit == Unit::flag || spec.unit == Unit::number;
            std::string line = fmt::format("{} = {}", spec.key, bare ? text : toml_quoted(text));
            if (origin == ShowOrigin::yes) {
                const auto found = effective.origins.find(spec.name());
                line = fmt::format("{:<36} # {}", line,
                                   found == effective.origins.end() ? "default" : found->second);
            }
            out += line + '\n';
        }
    }
    return out;
}

std::string reference_table(std::string_view section) {
    const Settings defaults;
    std::string out = "| Flag | Key | Variable | Default | What |\n|---|---|---|---|---|\n";
    for (const OptionSpec& spec : option_specs()) {
        if (spec.section != section) continue;
        const std::string value = value_text(defaults, spec);
        std::string flag = spec.flag();
        if (!spec.value_name.empty()) flag += fmt::format(" {}", spec.value_name);
        std::string doc(spec.doc);
        if (!spec.choices.empty()) {
            std::string choices(spec.choices);
            std::replace(choices.begin(), choices.end(), '|', '/');
            doc += fmt::format(" One of {}.", choices);
        }
        std::string variable = fmt::format("`{}`", spec.variable());
        if (!spec.short_variable.empty()) variable += fmt::format(", `{}`", spec.short_variable);
        out += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", flag, spec.name(), variable,
                           value.empty() ? "" : fmt::format("`{}`", value), doc);
    }
    return out;
}

}  // namespace understudy::apps
