#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consensus/core.h"
#include "journal/node_log/node_log.h"
#include "understudy/types.h"

namespace understudy::replicated {

using consensus::ServerId;
using journal::GroupId;

/// What a member does for its group. The numbers are wire and file format: never renumber.
enum class MemberKind : std::uint8_t {
    data = 1,          ///< Votes, applies, may be active.
    checkpointer = 2,  ///< Votes (not in a group of two), applies, is active only as a last resort.
    /// Votes and keeps entries, applies nothing, and transfers the lead if it has it.
    witness = 3,
};
[[nodiscard]] std::string_view name(MemberKind kind);

/// A member, as people name it: by its node.
struct Member {
    std::string name;  ///< Of its node.
    Address address;   ///< Of its node, for other nodes.
    MemberKind kind = MemberKind::data;
    friend bool operator==(const Member&, const Member&) = default;
};

/// A member, and the server that it is with its present disk.
struct MemberRow {
    ServerId id;
    Member member;
    friend bool operator==(const MemberRow&, const MemberRow&) = default;
};

/// The members that a group should have, in joining order. It is a replicated value.
///
/// The configuration of the consensus follows this list, one server at a time: the leader compares
/// the two and takes the next step. So a change continues when the leader that began it is gone.
///
/// Bounds: rows_max, encoded_bytes_max.
class Members {
public:
    static constexpr std::size_t rows_max = 16;
    static constexpr std::size_t encoded_bytes_max = 3 * KiB;

    Members() = default;
    explicit Members(std::vector<MemberRow> rows) : rows_(std::move(rows)) {}

    [[nodiscard]] const std::vector<MemberRow>& rows() const { return rows_; }
    [[nodiscard]] const MemberRow* find(std::string_view name) const;
    [[nodiscard]] const MemberRow* find(ServerId id) const;

    /// Returns the list with `row` instead of the row of that name, or after all others.
    [[nodiscard]] Members with(MemberRow row) const;
    [[nodiscard]] Members without(std::string_view name) const;

    /// Tells whether this member votes when it has caught up.
    [[nodiscard]] bool votes(const MemberRow& row) const;
    /// How many members vote then.
    [[nodiscard]] std::size_t voters() const;
    /// All members with the membership that they should have. A founder begins with this.
    [[nodiscard]] consensus::Configuration configuration() const;

    /// Errors: limit_exceeded (none).
    [[nodiscard]] Result<void> check() const;
    void encode(Buffer& out) const;
    /// Errors: corrupt (none).
    [[nodiscard]] static Result<Members> decode(Bytes bytes);

    friend bool operator==(const Members&, const Members&) = default;

private:
    std::vector<MemberRow> rows_;
};

/// The group of a service. If two names have the same id, the second one cannot be opened.
[[nodiscard]] GroupId group_of(std::string_view service);
/// The name of the directory of the group's checkpoints.
[[nodiscard]] std::string directory_of(GroupId group);

/// The server that the node with this log is in a group. Another disk is another server. Never 0.
[[nodiscard]] ServerId server_of(std::uint64_t log_identity, GroupId group);

}  // namespace understudy::replicated
