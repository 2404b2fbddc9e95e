#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "base/random.h"
#include "sim/disk/paged_file.h"
#include "understudy/types.h"

namespace understudy::sim {

/// Identifies the process that wrote something; each start has a new one.
using Owner = Strong<struct OwnerTag>;

/// What is left of a list of unsynced operations after a crash. Chosen once per list.
enum class Survival : std::uint8_t {
    none,
    all,
    prefix,     ///< The first operations; the next one is torn between two sectors.
    scattered,  ///< Each sector independently: reordered, torn, with holes.
};
inline constexpr std::uint64_t survival_count = 4;

/// One file of a simulated disk in two layers: what processes see, and what is left after a power
/// cut.
///
/// Between two syncs every write is kept with the contents of its sectors at that time, so that a
/// crash can leave any sector in any of its versions. (A kernel may write a page back at any time.)
///
/// Bounds: at most `pending_max` unsynced writes; beyond it the oldest is written back, as a kernel
/// does if memory is short.
class StoredFile {
public:
    static constexpr std::size_t sector_bytes = 512;
    static constexpr std::size_t pending_max = 4096;

    /// Counts the pages of the cached layer in `used_pages` while the file is held.
    explicit StoredFile(std::shared_ptr<std::uint64_t> used_pages);
    StoredFile(const StoredFile&) = delete;
    StoredFile& operator=(const StoredFile&) = delete;
    ~StoredFile();

    /// A name or an open description refers to the file. Without any, its space is free, although a
    /// crash may bring a name back.
    void hold();
    void drop();

    // Calls of processes.
    void write(std::uint64_t offset, Bytes data, Owner owner);
    void truncate(std::uint64_t size, Owner owner);
    void sync();

    // Faults.
    /// A failed sync: an arbitrary part is on the platter. The rest is forgotten but can still be
    /// read; a later sync succeeds without writing it.
    void fail_sync(Random& random);
    /// Loses what `owner` has not synced (all owners if nullopt), except what the draw keeps.
    void crash(std::optional<Owner> owner, Random& random);
    /// Changes bytes in both layers without notice. Requires: inside the file.
    void damage(std::uint64_t offset, Bytes data);

    [[nodiscard]] const PagedFile& cached() const { return cached_; }
    [[nodiscard]] const PagedFile& platter() const { return platter_; }
    [[nodiscard]] bool dirty() const { return !pending_.empty(); }

    /// The open description that holds the lock of the file; 0: free.
    std::uint64_t locked_by = 0;
    /// When its lease ends, because the store has not heard from its machine.
    TimePoint locked_until = TimePoint::max();

private:
    struct Pending {
        Owner owner;
        bool truncate = false;
        std::uint64_t offset = 0;      // Of the first sector.
        std::uint64_t length = 0;      // Whole sectors, cut at size_after.
        std::uint64_t size_after = 0;  // Of the file.
        Buffer image;                  // Empty: zeros.
    };

    void remember(Pending pending);
    void apply(const Pending& pending);
    void apply_sectors(const Pending& pending, std::uint64_t first, std::uint64_t count);
    void keep_some(const std::deque<Pending>& lost, Random& random);
    void rebuild_cache();
    void account(std::uint64_t pages_before);

    std::shared_ptr<std::uint64_t> used_pages_;
    std::size_t holders_ = 0;
    PagedFile cached_;
    PagedFile platter_;
    std::deque<Pending> pending_;
};

}  // namespace understudy::sim
