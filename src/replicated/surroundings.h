#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "consensus/core.h"
#include "journal/node_log/node_log.h"
#include "replicated/node/members.h"
#include "wire/message_type.h"

namespace understudy::replicated {

/// The worker that writes and reads checkpoints.
inline constexpr std::string_view checkpoint_worker = "checkpoint";

/// What a group wants of its node. What cannot be sent is dropped: the consensus asks again.
///
/// None of these calls comes back to the group before it returns.
class Surroundings {
public:
    virtual ~Surroundings() = default;

    // Messages.

    virtual void send(ServerId to, GroupId group, const consensus::Message& message) = 0;
    /// `entries` follow the previous entry of `request`; not empty.
    virtual void send(ServerId to, GroupId group, const consensus::AppendRequest& request,
                      std::span<const journal::GroupEntry> entries) = 0;
    virtual void tell(ServerId to, GroupId group, wire::MessageType type, Bytes body) = 0;
    virtual void tell_node(std::string_view name, wire::MessageType type, Bytes body) = 0;
    virtual void tell_all(wire::MessageType type, Bytes body) = 0;
    /// So much waits to be sent there that entries had better not be added.
    [[nodiscard]] virtual bool congested(ServerId to, GroupId group) const = 0;

    // Nodes.

    /// Of the log of a node that is connected.
    [[nodiscard]] virtual std::optional<std::uint64_t> identity_of(std::string_view name) const = 0;
    /// The name of the node that is this server, if it is connected or oneself.
    [[nodiscard]] virtual std::string name_of(ServerId server, GroupId group) const = 0;
    virtual void learn(const Member& member) = 0;
    /// Why the node of this name is not connected, as far as it is known.
    [[nodiscard]] virtual std::string trouble_with(std::string_view) const { return {}; }

    // The log.

    /// As NodeLog::write(); the group hears durable() with that position or a later one.
    [[nodiscard]] virtual Result<journal::LogPosition> write(GroupId group,
                                                             journal::GroupWrite write,
                                                             journal::Urgency urgency) = 0;
    /// Newest state written of a group; empty if there is none.
    [[nodiscard]] virtual Bytes state_of(GroupId group) const = 0;
    /// So much waits for the disk that what can be sent again had better be left.
    [[nodiscard]] virtual bool disk_congested() const = 0;

    /// The group has ended: nothing more is to reach it.
    virtual void ended(GroupId group) = 0;
};

}  // namespace understudy::replicated
