#pragma once

#include <utility>

#include "journal/node_log/node_log_core.h"

namespace understudy::journal {

/// Runs `task` on the loop, unless the log is destroyed before.
template <class Task>
void NodeLogCore::later(Task task) {
    runtime_.post(life_.guarded(std::move(task)));
}

}  // namespace understudy::journal
