#pragma once

#include <string>

#include "understudy/agent.h"
#include "wire/control.pb.h"

namespace understudy::library {

/// Converts the directory's entry of a service for applications; null: the directory has none.
[[nodiscard]] ServiceStatus to_status(const std::string& family, const wire::pb::ServiceInfo* info);

/// True if there is a member that answers.
[[nodiscard]] bool has_active(const ServiceStatus& service);

}  // namespace understudy::library
