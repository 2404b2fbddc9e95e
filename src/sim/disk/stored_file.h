#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "base/random.h"
#include "sim/disk/paged_file.h"
#include "understudy/types.h"

namespace understudy::sim {

/// Which process wrote something; a new one per start.
using Owner = Strong<struct OwnerTag>;

/// What a crash leaves of a list of unsynced operations, chosen once per list.
enum class Survival : std::uint8_t {
    none,
    all,
    prefix,     ///< The first ones; the next is torn between two sectors.
    scattered,  ///< Each sector by itself: reordered, torn, with holes.
};
inline constexpr std::uint64_t survival_count = 4;

/// One file of a simulated disk in two layers: what processes see, and what a power cut leaves.
///
/// Between two syncs every write is kept with its sectors as they looked then, so that a crash can
/// leave any sector at any of its versions: the kernel may write a page back whenever it likes.
///
/// Bounds: at most `pending_max` unsynced writes; beyond it the oldest is written back, as a
///         kernel does under memory pressure.
class StoredFile {
public:
    static constexpr std::size_t sector_bytes = 512;
    static constexpr std::size_t pending_max = 4096;

    /// Counts the pages of the cached layer in `used_pages` while somebody holds the file.
    explicit StoredFile(std::shared_ptr<std::uint64_t> used_pages);
    StoredFile(const StoredFile&) = delete;
    StoredFile& operator=(const StoredFile&) = delete;
    ~StoredFile();

    /// A name or an open description refers to it. Without any, its space is free, although a
    /// crash may bring a name back.
    void hold();
    void drop();

    // What processes do.
    void write(std::uint64_t offset, Bytes data, Owner owner);
    void truncate(std::uint64_t size, Owner owner);
    void sync();

    // What goes wrong.
    /// A sync that failed: an arbitrary part is on the platter, the rest is forgotten although
    /// still to be read; a later sync succeeds without writing it.
    void fail_sync(Random& random);
    /// Loses what `owner` has not synced (all owners if nullopt), except what the draw spares.
    void crash(std::optional<Owner> owner, Random& random);
    /// Changes bytes in both layers behind everybody's back. Requires: inside the file.
    void damage(std::uint64_t offset, Bytes data);

    [[nodiscard]] const PagedFile& cached() const { return cached_; }
    [[nodiscard]] const PagedFile& platter() const { return platter_; }
    [[nodiscard]] bool dirty() const { return !pending_.empty(); }

    /// The open description that holds the file's lock; 0: free.
    std::uint64_t locked_by = 0;
    /// Its lease ends then, since the store has not heard from its node.
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
