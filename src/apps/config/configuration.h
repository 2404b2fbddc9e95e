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

/// One value for one option, and where it was said: "FILE:3", a variable, a flag.
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

/// What a TOML file says, and all that is wrong with it.
struct ConfigFile {
    std::vector<Given> given;
    std::vector<ConfigProblem> problems;
};

/// Reads TOML. A key that no option has is a problem, and so is a value out of range: nothing is
/// skipped, nothing is clamped. `file_name` is for the origins.
[[nodiscard]] ConfigFile read_config(std::string_view toml, const std::string& file_name);

/// The variables that are ours among `environment` (NAME, value). Others are left alone.
/// Errors: bad_config (none): begins with UNDERSTUDY__ and is no option; says the nearest.
[[nodiscard]] Result<std::vector<Given>> read_environment(
    const std::vector<std::pair<std::string, std::string>>& environment);

/// Options as they take effect, with the origin of each that was given.
struct Effective {
    Settings settings;
    std::map<std::string, std::string> origins;  ///< By option name; absent: the default.
};

/// Defaults, then `given` in order: the last word counts. Errors: bad_config (none), with origin.
[[nodiscard]] Result<Effective> merge(const std::vector<Given>& given);

/// As a TOML file that read_config() reads; with origins as comments if wanted.
enum class ShowOrigin : std::uint8_t { no, yes };
[[nodiscard]] std::string to_toml(const Effective& effective, ShowOrigin origin);

/// A Markdown table of one section's options: the reference page.
[[nodiscard]] std::string reference_table(std::string_view section);

}  // namespace understudy::apps
