#pragma once

#include <deque>
#include <map>

#include "journal/node_log/node_record.h"

namespace understudy::journal {

/// One entry as a NodeLog remembers it: everything but the body, and where the body is.
struct IndexedEntry {
    Epoch term;
    std::uint32_t segment = 0;  ///< Lower half of a generation; 0: not durable yet.
    std::uint32_t offset = 0;  ///< In the segment; a number of its own while it is not durable yet.
    std::uint32_t body_bytes = 0;
    std::uint32_t checksum = 0;
    std::uint8_t kind = 0;

    [[nodiscard]] bool placed() const { return segment != 0; }
    [[nodiscard]] bool lies_where(const IndexedEntry& other) const {
        return segment == other.segment && offset == other.offset;
    }
};
static_assert(sizeof(IndexedEntry) == 32);

/// The log of one group without the bodies.
struct GroupIndex {
    Buffer state;
    Index first{1};
    std::deque<IndexedEntry> entries;  ///< From `first` on.

    [[nodiscard]] Index last() const { return {first.value - 1 + entries.size()}; }
    [[nodiscard]] IndexedEntry* find(Index index);
    [[nodiscard]] const IndexedEntry* find(Index index) const;

    void trim(Index to);   ///< Requires: not beyond the entry after the last.
    void cut(Index from);  ///< Requires: not before the first.
    void restart(Index next);
};

/// Rebuilds the groups of a node from its records, in order.
///
/// Pure. The same records give the same groups. A record that contradicts the records before it is
/// damage, even if its checksum is right.
class NodeIndex {
public:
    /// `segment` and `offset` say where the record's body is. They are 0 for a record of a
    /// checkpoint.
    /// Errors: corrupt (none).
    [[nodiscard]] Result<void> apply(const NodeRecord& record, std::uint32_t segment,
                                     std::uint32_t offset);

    /// Applies all records of `body`, which is at `offset` of `segment`. Errors: corrupt (none).
    [[nodiscard]] Result<void> apply_all(Bytes body, std::uint32_t segment, std::uint64_t offset);

    [[nodiscard]] std::uint64_t identity() const { return identity_; }
    [[nodiscard]] std::map<GroupId, GroupIndex>& groups() { return groups_; }

private:
    std::uint64_t identity_ = 0;
    std::map<GroupId, GroupIndex> groups_;
};

}  // namespace understudy::journal
