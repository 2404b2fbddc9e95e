#pragma once

#include <optional>
#include <string>

#include "consensus/core.h"
#include "replicated/node/members.h"

namespace understudy::replicated {

/// What a node's log stores of a group besides its entries.
struct GroupState {
    std::string service;
    consensus::HardState hard;
    std::optional<consensus::SnapshotRef>
        snapshot;  ///< Its file in the group's directory is complete.
};

[[nodiscard]] Buffer encode(const GroupState& state);
/// Errors: corrupt (none).
[[nodiscard]] Result<GroupState> decode_group_state(Bytes bytes);

/// What SnapshotRef::reference holds: the members as of that entry. The bytes are found by group
/// and index, and checked by their own header.
[[nodiscard]] Buffer encode_reference(const Members& members);
/// Errors: corrupt (none).
[[nodiscard]] Result<Members> decode_reference(Bytes reference);

}  // namespace understudy::replicated
