#pragma once

#include <string>
#include <vector>

#include "replicated/node/members.h"

namespace understudy::replicated {

/// One member, as the member that was asked sees it.
struct MemberStatus {
    Member member;
    ServerId id;
    bool joined = false;  ///< It is in the configuration.
    bool votes = false;
    /// The node is connected, with the disk that the group knows. True for the asked member itself.
    bool connected = false;
    bool leader = false;
    /// The entries that the leader knows it has. Only the leader knows it; otherwise 0.
    Index match;
    /// Entries that it lacks up to the leader's last. Only the leader knows it; otherwise 0.
    std::uint64_t lag = 0;
};

/// One group, as one of its members sees it.
struct GroupStatus {
    std::string service;
    std::string self;  ///< Name of the member that was asked.
    Role role = Role::joining;
    MemberKind kind = MemberKind::data;
    Epoch term;
    std::string leader;  ///< Empty: not known.
    Index last;
    Index commit;
    Index applied;                      ///< What the observer was told.
    Index durable;                      ///< On this member's disk.
    Index first;                        ///< The oldest entry that is kept.
    Index checkpoint;                   ///< 0: none.
    std::vector<MemberStatus> members;  ///< In joining order. Empty while it waits to be founded.
    /// While it waits to be founded: the founders that have been heard, including itself, and the
    /// missing ones.
    std::vector<std::string> founders_here = {};
    std::vector<std::string> founders_missing = {};
    /// The leader says that this member is not among its members, or not any more.
    bool outside = false;
    /// It has been a member.
    bool removed = false;
};

}  // namespace understudy::replicated
