#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "registry/state/service.h"
#include "role/cause.h"

namespace understudy::registry {

/// Why a member is not active any more, and why another one is.
struct Why {
    role::Cause cause;
    std::string evidence;
    std::string previous = {};  ///< The member that was active. Empty: none.
    std::uint64_t noticed_us = 0;
};

/// What one command changes in one service: the service itself, and the members to be told.
struct Change {
    Service& service;
    std::uint64_t wall_ms = 0;         ///< Of the command. For display only.
    std::set<JoinOrder> touched = {};  ///< Joined or changed; sorted, so that the output is, too.
    std::set<JoinOrder> told = {};     ///< They must be told their role.
    std::vector<Member> removed = {};
    bool changed = false;  ///< Something else than the members.

    void touch(const Member& member) { touched.insert(member.order); }
    /// The member has changed and must be told its role.
    void tell(const Member& member);
    void erase(JoinOrder order);
    /// The member gets the last place in line.
    Member& to_the_back(JoinOrder order);
    /// The active member is gone and has no successor yet: keeps the cause of the next promotion.
    void lose(const Why& why);
    /// Makes a row of the story. The state adds its revision.
    void record(const Member& member, Epoch epoch, const Why& why);
};

}  // namespace understudy::registry
