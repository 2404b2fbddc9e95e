#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "registry/state/service.h"
#include "registry/validate.h"

namespace understudy::registry {

[[nodiscard]] inline std::uint64_t to_us(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

[[nodiscard]] inline std::uint64_t to_ms(Duration duration) { return to_us(duration) / 1000; }

/// How long a silent member of the service keeps its role. Null: it is not known.
[[nodiscard]] inline Duration lease_of(const Service* service) {
    if (service == nullptr) return lease_max;
    const Duration lease = std::chrono::milliseconds(service->config.lease_ms());
    return std::clamp(lease, lease_min, lease_max);
}

}  // namespace understudy::registry
