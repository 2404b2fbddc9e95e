#include "journal/node_log/node_cache.h"

#include <algorithm>
#include <utility>

namespace understudy::journal {

namespace {

/// About the memory of a cached entry without its body.
constexpr std::uint64_t overhead_bytes = 96;

std::uint64_t cached_bytes(const GroupEntry& entry) { return entry.body.size() + overhead_bytes; }

}  // namespace

void NodeCache::add(GroupId group, Index index, GroupEntry entry) {
    Run& run = runs_[group];
    if (run.entries.empty()) run.first = index;
    US_ASSERT(run.first.value + run.entries.size() == index.value);
    bytes_ += cached_bytes(entry);
    ++entries_;
    run.entries.push_back({.entry = std::move(entry), .added = ++adds_});
    order_.push_back({.group = group, .index = index, .number = adds_});
}

void NodeCache::durable(std::size_t count) {
    durable_in_order_ += count;
    US_ASSERT(durable_in_order_ <= order_.size());
    evict();
}

void NodeCache::trim(GroupId group, Index to) {
    const auto found = runs_.find(group);
    if (found == runs_.end()) return;
    Run& run = found->second;
    while (!run.entries.empty() && run.first < to) pop_front(run);
}

void NodeCache::cut(GroupId group, Index from) {
    const auto found = runs_.find(group);
    if (found == runs_.end()) return;
    Run& run = found->second;
    while (!run.entries.empty() && run.first.value + run.entries.size() > from.value) {
        bytes_ -= cached_bytes(run.entries.back().entry);
        --entries_;
        run.entries.pop_back();
    }
}

void NodeCache::forget(GroupId group) {
    cut(group, {});
    runs_.erase(group);
}

std::optional<Index> NodeCache::first(GroupId group) const {
    const auto found = runs_.find(group);
    if (found == runs_.end() || found->second.entries.empty()) return std::nullopt;
    return found->second.first;
}

std::vector<GroupEntry> NodeCache::read(GroupId group, Index from, std::size_t count,
                                        std::size_t bytes_max) const {
    std::vector<GroupEntry> found;
    const auto known = runs_.find(group);
    if (known == runs_.end() || from < known->second.first) return found;
    const auto& entries = known->second.entries;
    std::size_t bytes = 0;
    for (auto at = static_cast<std::size_t>(from.value - known->second.first.value);
         at < entries.size() && found.size() < count; ++at) {
        const GroupEntry& entry = entries[at].entry;
        bytes += entry.body.size();
        if (!found.empty() && bytes > bytes_max) break;
        found.push_back(entry);
    }
    return found;
}

bool NodeCache::holds(const Added& added) const {
    const auto found = runs_.find(added.group);
    if (found == runs_.end()) return false;
    const Run& run = found->second;
    if (added.index < run.first) return false;
    const auto at = static_cast<std::size_t>(added.index.value - run.first.value);
    return at < run.entries.size() && run.entries[at].added == added.number;
}

void NodeCache::pop_front(Run& run) {
    bytes_ -= cached_bytes(run.entries.front().entry);
    --entries_;
    run.entries.pop_front();
    run.first = run.first.next();
}

void NodeCache::evict() {
    while (bytes_ > bytes_max_ && durable_in_order_ > 0) {
        const Added oldest = order_.front();
        order_.pop_front();
        --durable_in_order_;
        if (!holds(oldest)) continue;
        US_ASSERT(runs_.at(oldest.group).first == oldest.index);
        pop_front(runs_.at(oldest.group));
    }
    // Trimmed entries leave their places in order_. The places are removed when they are the larger
    // part of it.
    if (durable_in_order_ < 2 * entries_ + 1024) return;
    const auto behind = order_.begin() + static_cast<std::ptrdiff_t>(durable_in_order_);
    const auto kept =
        std::remove_if(order_.begin(), behind, [&](const Added& added) { return !holds(added); });
    durable_in_order_ = static_cast<std::size_t>(kept - order_.begin());
    order_.erase(kept, behind);
}

}  // namespace understudy::journal
