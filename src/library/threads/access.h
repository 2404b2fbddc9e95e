#pragma once

#include <memory>

#include "understudy/agent.h"

namespace understudy::library {

/// The way from what an application holds to what stands behind it, for the folder and for admin.h.
struct Access {
    [[nodiscard]] static const std::shared_ptr<Agent::Impl>& impl(const Agent& agent) {
        return agent.impl_;
    }
    [[nodiscard]] static const std::shared_ptr<Threads::Impl>& impl(const Threads& threads) {
        return threads.impl_;
    }
};

}  // namespace understudy::library
