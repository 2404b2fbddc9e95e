#include "sim/disk/stored_file.h"

#include <algorithm>
#include <utility>

namespace understudy::sim {
namespace {

constexpr std::uint64_t sector = StoredFile::sector_bytes;

std::uint64_t sectors_of(std::uint64_t bytes) { return (bytes + sector - 1) / sector; }

}  // namespace

StoredFile::StoredFile(std::shared_ptr<std::uint64_t> used_pages)
    : used_pages_(std::move(used_pages)) {}

StoredFile::~StoredFile() {
    if (holders_ > 0) *used_pages_ -= cached_.allocated_pages();
}

void StoredFile::hold() {
    if (holders_++ == 0) *used_pages_ += cached_.allocated_pages();
}

void StoredFile::drop() {
    US_ASSERT(holders_ > 0);
    if (--holders_ == 0) *used_pages_ -= cached_.allocated_pages();
}

void StoredFile::write(std::uint64_t offset, Bytes data, Owner owner) {
    if (data.empty()) return;
    const std::uint64_t before = cached_.allocated_pages();
    cached_.write(offset, data);
    account(before);

    Pending pending{.owner = owner, .offset = offset / sector * sector, .image = {}};
    const std::uint64_t end = sectors_of(offset + data.size()) * sector;
    pending.size_after = cached_.size();
    pending.length = std::min(end, cached_.size()) - pending.offset;
    if (pending.length != data.size() || !all_zero(data)) {
        pending.image.resize(static_cast<std::size_t>(pending.length));
        cached_.read(pending.offset, pending.image);
    }
    remember(std::move(pending));
}

void StoredFile::truncate(std::uint64_t size, Owner owner) {
    const std::uint64_t before = cached_.allocated_pages();
    cached_.resize(size);
    account(before);
    remember({.owner = owner, .truncate = true, .size_after = size, .image = {}});
}

void StoredFile::sync() {
    for (const Pending& pending : pending_) apply(pending);
    pending_.clear();
}

void StoredFile::fail_sync(Random& random) { keep_some(std::exchange(pending_, {}), random); }

void StoredFile::crash(std::optional<Owner> owner, Random& random) {
    std::deque<Pending> lost;
    std::deque<Pending> kept;
    for (Pending& pending : pending_) {
        (!owner || pending.owner == *owner ? lost : kept).push_back(std::move(pending));
    }
    pending_ = std::move(kept);
    // After a power cut the cache is empty even if nothing was pending: a failed sync may have left
    // bytes in it that are nowhere else.
    if (lost.empty() && owner) return;
    keep_some(lost, random);
    rebuild_cache();
}

void StoredFile::damage(std::uint64_t offset, Bytes data) {
    US_ASSERT(offset + data.size() <= cached_.size());
    cached_.write(offset, data);
    if (offset + data.size() <= platter_.size()) platter_.write(offset, data);
}

void StoredFile::remember(Pending pending) {
    pending_.push_back(std::move(pending));
    if (pending_.size() <= pending_max) return;
    apply(pending_.front());
    pending_.pop_front();
}

void StoredFile::apply(const Pending& pending) {
    if (pending.truncate) {
        platter_.resize(pending.size_after);
    } else {
        apply_sectors(pending, 0, sectors_of(pending.length));
    }
}

void StoredFile::apply_sectors(const Pending& pending, std::uint64_t first, std::uint64_t count) {
    const std::uint64_t from = first * sector;
    const std::uint64_t to = std::min((first + count) * sector, pending.length);
    if (to <= from) return;
    const std::uint64_t at = pending.offset + from;
    if (pending.image.empty()) {
        platter_.write_zeros(at, to - from);
    } else {
        platter_.write(
            at, Bytes(pending.image)
                    .subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from)));
    }
}

void StoredFile::keep_some(const std::deque<Pending>& lost, Random& random) {
    if (lost.empty()) return;
    const auto survival = static_cast<Survival>(random.below(survival_count));
    const auto whole =
        static_cast<std::size_t>(survival == Survival::prefix ? random.below(lost.size()) : 0);
    std::uint64_t size_after = platter_.size();
    for (std::size_t i = 0; i < lost.size(); ++i) {
        const Pending& pending = lost[i];
        size_after = pending.size_after;
        const std::uint64_t sectors = sectors_of(pending.length);
        const bool in_prefix = survival == Survival::prefix && i < whole;
        if (survival == Survival::all || in_prefix) {
            apply(pending);
        } else if (survival == Survival::prefix && i == whole && !pending.truncate) {
            apply_sectors(pending, 0, random.below(sectors + 1));
        } else if (survival == Survival::scattered && pending.truncate) {
            if (random.chance(1, 2)) apply(pending);
        } else if (survival == Survival::scattered) {
            for (std::uint64_t at = 0; at < sectors; ++at) {
                if (random.chance(1, 2)) apply_sectors(pending, at, 1);
            }
        }
    }
    // The size is metadata: it may become durable without the data.
    if (size_after > platter_.size() && random.chance(1, 4)) platter_.resize(size_after);
}

void StoredFile::rebuild_cache() {
    const std::uint64_t before = cached_.allocated_pages();
    cached_ = platter_;
    for (const Pending& pending : pending_) {
        if (pending.truncate) {
            cached_.resize(pending.size_after);
        } else if (pending.image.empty()) {
            cached_.write_zeros(pending.offset, pending.length);
        } else {
            cached_.write(pending.offset, pending.image);
        }
    }
    account(before);
}

void StoredFile::account(std::uint64_t pages_before) {
    if (holders_ > 0) *used_pages_ += cached_.allocated_pages() - pages_before;
}

}  // namespace understudy::sim
