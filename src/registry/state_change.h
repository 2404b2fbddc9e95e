#pragma once

#include <set>
#include <vector>

#include "registry/state.h"

namespace understudy::registry {

/// Collects what one command changes in one service.
struct State::Change {
    std::set<JoinOrder> touched = {};  ///< Joined or changed; sorted, so that the output is, too.
    std::set<JoinOrder> told = {};     ///< Must hear their role.
    std::vector<Member> removed = {};
    bool changed = false;
};

}  // namespace understudy::registry
