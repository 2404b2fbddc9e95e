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

/// What a group asks of its node. A message that cannot be sent is dropped; the consensus repeats
/// it.
///
/// No call here calls the group before it returns.
class Surroundings {
public:
    virtual ~Surroundings() = default;

    // Messages.

    virtual void send(ServerId to, GroupId group, const consensus::Message& message) = 0;
    /// `entries` follow the previous entry of `request`. They are not empty.
    virtual void send(ServerId to, GroupId group, const consensus::AppendRequest& request,
                      std::span<const journal::GroupEntry> entries) = 0;
    virtual void tell(ServerId to, GroupId group, wire::MessageType type, Bytes body) = 0;
    virtual void tell_node(std::string_view name, wire::MessageType type, Bytes body) = 0;
    virtual void tell_all(wire::MessageType type, Bytes body) = 0;
    /// So many bytes wait to be sent there that no entries should be added.
    [[nodiscard]] virtual bool congested(ServerId to, GroupId group) const = 0;

    // Nodes.

    /// The identity of the log of a connected node.
    [[nodiscard]] virtual std::optional<std::uint64_t> identity_of(std::string_view name) const = 0;
    /// The name of the node that is this server, if it is connected or is this node.
    [[nodiscard]] virtual std::string name_of(ServerId server, GroupId group) const = 0;
    virtual void learn(const Member& member) = 0;
    /// Why the node of this name is not connected, if that is known.
    [[nodiscard]] virtual std::string trouble_with(std::string_view) const { return {}; }

    // The log.

    /// As NodeLog::write(). The group is told durable() with that position or a later one.
    [[nodiscard]] virtual Result<journal::LogPosition> write(GroupId group,
                                                             journal::GroupWrite write,
                                                             journal::Urgency urgency) = 0;
    /// The newest written state of a group; empty if there is none.
    [[nodiscard]] virtual Bytes state_of(GroupId group) const = 0;
    /// So many bytes wait for the disk that entries which can be sent again should not be accepted.
    [[nodiscard]] virtual bool disk_congested() const = 0;

    /// The group has ended. It must not be called any more.
    virtual void ended(GroupId group) = 0;
};

}  // namespace understudy::replicated
