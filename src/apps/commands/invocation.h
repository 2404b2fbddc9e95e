#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/commands/command.h"
#include "apps/config/configuration.h"
#include "apps/output.h"
#include "apps/view/listing.h"

namespace understudy::apps {

/// The effective options of a command, and how it prints.
struct Invocation {
    Effective effective;
    Format format = Format::table;
    Paint paint = Paint::plain;  ///< What standard output can display.
    bool verbose = false;        ///< The library's events go to standard error.

    [[nodiscard]] const Settings& settings() const { return effective.settings; }
    [[nodiscard]] bool for_people() const { return format == Format::table; }
};

/// The options that all commands share, and the merging of file, environment and flags.
class Globals {
public:
    void add_to(const Command& root);
    /// Adds a flag for each option of the section.
    void add_section(const Command& command, std::string_view section);
    /// Adds the flag of one option, such as "registry.data".
    void add_option(const Command& command, std::string_view name);

    /// Merges, runs `body`, prints its error. For Command::runs().
    [[nodiscard]] std::function<Exit()> running(
        std::function<Result<Exit>(const Invocation&)> body) const;

private:
    [[nodiscard]] Result<Invocation> invocation() const;

    std::vector<Given> flags_;
    std::string config_;
    std::string format_ = "table";
    bool json_ = false;
    bool verbose_ = false;
};

/// The options in the environment of this process. Errors: bad_config (none).
[[nodiscard]] Result<std::vector<Given>> given_by_environment();
/// Reads the file; the first of its problems is the error. Errors: bad_config (none).
[[nodiscard]] Result<std::vector<Given>> given_by_file(const std::string& path);

inline constexpr std::size_t config_size_max = 1 * MiB;

}  // namespace understudy::apps
