#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/config/settings.h"
#include "understudy/types.h"

namespace understudy::apps {

/// One value for one option, and its source: "FILE:3", a variable, a flag.
struct Given {
    std::string name;
    std::string text;
    std::string origin;
};

struct ConfigProblem {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string text;
};

/// The contents of a TOML file, and all its problems.
struct ConfigFile {
    std::vector<Given> given;
    std::vector<ConfigProblem> problems;
};

/// Reads TOML. An unknown key is a problem, and so is a value out of range: nothing is skipped or
/// adjusted. `file_name` is for the origins.
[[nodiscard]] ConfigFile read_config(std::string_view toml, const std::string& file_name);

/// The variables in `environment` (NAME, value) that belong to this program. Others are ignored.
/// Errors: bad_config (none): a name begins with UNDERSTUDY__ and is no option; the message names
/// the nearest option.
[[nodiscard]] Result<std::vector<Given>> read_environment(
    const std::vector<std::pair<std::string, std::string>>& environment);

/// The effective options, with the origin of each that was given.
struct Effective {
    Settings settings;
    std::map<std::string, std::string> origins;  ///< By option name; absent: the default.
};

/// The defaults, overridden by `given` in order. Errors: bad_config (none), with the origin.
[[nodiscard]] Result<Effective> merge(const std::vector<Given>& given);

/// A TOML file that read_config() can read, with origins as comments if wanted.
enum class ShowOrigin : std::uint8_t { no, yes };
[[nodiscard]] std::string to_toml(const Effective& effective, ShowOrigin origin);

/// A Markdown table of the options of one section, for the documents.
[[nodiscard]] std::string reference_table(std::string_view section);

}  // namespace understudy::apps
