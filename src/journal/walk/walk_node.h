#pragma once

#include "journal/walk/walk_parts.h"

namespace understudy::journal {

/// Interprets the commands of a local journal, if it is a node's log.
///
/// Thread: a worker.
/// Source: docs/formats/node-log.md.
class WalkNode {
public:
    explicit WalkNode(WalkParts& parts) : parts_(parts) {}

    /// Restores the newest undamaged checkpoint, if it is one of a node's log.
    /// Errors: no_such_file, disk_failed (none).
    [[nodiscard]] Result<void> begin();
    /// To be called with all entries, in order. `offset` is that of the body.
    void take(const Entry& entry, const std::string& file, std::uint64_t offset);
    /// Reports the groups. Reads each body if `depth` says so. Errors: no_such_file, disk_failed
    /// (none).
    [[nodiscard]] Result<void> finish(WalkDepth depth);

private:
    enum class Is : std::uint8_t { unknown, no, yes };

    Result<void> restore(Index at);
    Result<void> read_bodies(GroupId id, const GroupIndex& group);

    WalkParts& parts_;
    Is is_ = Is::unknown;
    NodeIndex index_;
    Index from_;           ///< Index of the checkpoint that was restored.
    Index taken_;          ///< The last entry that the index contains.
    bool broken_ = false;  ///< An entry was lost: the index does not match the log any more.
};

}  // namespace understudy::journal
