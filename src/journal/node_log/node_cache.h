#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "journal/node_log/node_log.h"

namespace understudy::journal {

/// The newest bodies of all groups, up to a number of bytes. The oldest are removed first.
///
/// For each group it holds a run that ends with the group's last entry. An entry that is not
/// durable yet cannot be read from the disk, so it stays, whatever the bound is.
///
/// Thread: loop only. Pure.
class NodeCache {
public:
    explicit NodeCache(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    /// Requires: it follows the last added entry of the group, if that entry is here.
    void add(GroupId group, Index index, GroupEntry entry);
    /// The entries of the `count` oldest adds that were not durable are durable now, and may be
    /// removed.
    void durable(std::size_t count);

    void trim(GroupId group, Index to);
    void cut(GroupId group, Index from);
    void forget(GroupId group);

    /// The first entry of the group that is here; nullopt if none is.
    [[nodiscard]] std::optional<Index> first(GroupId group) const;
    [[nodiscard]] std::vector<GroupEntry> read(GroupId group, Index from, std::size_t count,
                                               std::size_t bytes_max) const;
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    struct Cached {
        GroupEntry entry;
        /// The number of its add. The index may have had another entry before.
        std::uint64_t added = 0;
    };
    struct Run {
        Index first;
        std::deque<Cached> entries;
    };
    struct Added {
        GroupId group;
        Index index;
        std::uint64_t number = 0;
    };

    [[nodiscard]] bool holds(const Added& added) const;
    void pop_front(Run& run);
    void evict();

    const std::uint64_t bytes_max_;
    std::uint64_t bytes_ = 0;
    std::size_t entries_ = 0;
    std::uint64_t adds_ = 0;
    std::map<GroupId, Run> runs_;
    /// The order of the adds. Some of these entries may already be removed.
    std::deque<Added> order_;
    std::size_t durable_in_order_ = 0;  ///< How many at the front of order_ are durable.
};

}  // namespace understudy::journal
