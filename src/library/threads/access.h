#pragma once

#include <memory>

#include "understudy/agent.h"

namespace understudy::library {

/// Gives this folder and admin.h access to the implementation of a public class.
struct Access {
    [[nodiscard]] static const std::shared_ptr<Agent::Impl>& impl(const Agent& agent) {
        return agent.impl_;
    }
    [[nodiscard]] static const std::shared_ptr<Threads::Impl>& impl(const Threads& threads) {
        return threads.impl_;
    }
};

}  // namespace understudy::library
