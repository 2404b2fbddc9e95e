#pragma once

#include <memory>
#include <utility>

#include "journal/node_log_core.h"

namespace understudy::journal {

/// Runs `task` on the loop unless the log is destroyed before.
template <class Task>
void NodeLogCore::later(Task task) {
    runtime_.post([alive = std::weak_ptr(alive_), task = std::move(task)]() mutable {
        if (!alive.expired()) task();
    });
}

}  // namespace understudy::journal
