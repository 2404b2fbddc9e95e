#pragma once

#include <memory>

#include "understudy/agent.h"

namespace understudy::library {

/// The way from an Agent to what stands behind it, for the folder and for admin.h.
struct Access {
    [[nodiscard]] static const std::shared_ptr<Agent::Impl>& impl(const Agent& agent) {
        return agent.impl_;
    }
};

}  // namespace understudy::library
