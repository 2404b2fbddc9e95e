#pragma once

#include <cstdint>

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"
#include "apps/run/coordinator_program.h"
#include "wire/control.pb.h"

namespace understudy::apps {

/// Whether this copy is known to a registry, and the service's definition there.
struct CoordinatorPlan {
    const Settings& settings;
    bool registry = false;  ///< It was named.
    /// Null: the service was not registered before it runs; flags say everything.
    const wire::pb::ServiceInfo* service = nullptr;
};

/// Of an instance whose journals are in `log`, as those of others may be.
[[nodiscard]] std::string journal_directory(const std::string& log, const std::string& instance);

/// Of a Unix-domain socket that is named on the command line: a name alone is in this directory.
[[nodiscard]] Address socket_address(const std::string& path);

/// What a coordinator is run with: flags first, then the service's definition.
/// Errors: bad_config, not_found (none).
[[nodiscard]] Result<CoordinatorProgram::Options> coordinator_options(const CoordinatorPlan& plan);

/// understudy coordinator.
void add_coordinator_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
