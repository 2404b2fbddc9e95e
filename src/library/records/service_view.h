#pragma once

#include <string>

#include "understudy/agent.h"
#include "wire/control.pb.h"

namespace understudy::library {

/// What the directory says of a service, as applications see it; null: it knows none.
[[nodiscard]] ServiceStatus to_status(const std::string& family, const wire::pb::ServiceInfo* info);

/// Is there a member that answers?
[[nodiscard]] bool has_active(const ServiceStatus& service);

}  // namespace understudy::library
