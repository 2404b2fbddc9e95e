#pragma once

#include <cstdint>

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"
#include "apps/run/coordinator_program.h"
#include "wire/control.pb.h"

namespace understudy::apps {

/// Whether a registry is used, and the service's definition in it.
struct CoordinatorPlan {
    const Settings& settings;
    bool registry = false;  ///< A registry was named.
    /// Null: the service was not registered before, so flags say everything.
    const wire::pb::ServiceInfo* service = nullptr;
};

/// The directory of an instance's journal; `log` may also contain those of others.
[[nodiscard]] std::string journal_directory(const std::string& log, const std::string& instance);

/// The address of a Unix-domain socket on the command line; a bare name is in the present
/// directory.
[[nodiscard]] Address socket_address(const std::string& path);

/// The options of a coordinator: from the flags first, then from the service's definition.
/// Errors: bad_config, not_found (none).
[[nodiscard]] Result<CoordinatorProgram::Options> coordinator_options(const CoordinatorPlan& plan);

/// understudy coordinator.
void add_coordinator_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
