#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "journal/node_log/node_log.h"

namespace understudy::journal {

/// The newest bodies of all groups, up to a number of bytes; the oldest go first.
///
/// Of each group it holds a run that ends with its last entry. What is not durable yet can be had
/// from nowhere else, so it stays, whatever the bound.
///
/// Thread: loop only. Pure.
class NodeCache {
public:
    explicit NodeCache(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    /// Requires: it follows the last entry of the group that was added, if that is here.
    void add(GroupId group, Index index, GroupEntry entry);
    /// May go from now on: entries of the `count` oldest adds that could not before.
    void durable(std::size_t count);

    void trim(GroupId group, Index to);
    void cut(GroupId group, Index from);
    void forget(GroupId group);

    /// The first that is here; nullopt if none is.
    [[nodiscard]] std::optional<Index> first(GroupId group) const;
    [[nodiscard]] std::vector<GroupEntry> read(GroupId group, Index from, std::size_t count,
                                               std::size_t bytes_max) const;
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    struct Cached {
        GroupEntry entry;
        std::uint64_t added = 0;  ///< The number of its add: the index may have had another before.
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
    std::deque<Added> order_;           ///< Of the adds; some of it gone meanwhile.
    std::size_t durable_in_order_ = 0;  ///< How many at its front.
};

}  // namespace understudy::journal
