#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/types.h"
#include "sim/disk/disk_store.h"

namespace understudy::swarm {

/// One bit on a node's disk that is not what was written.
struct Rot {
    std::string path;
    std::uint64_t bit = 0;
    /// The entry of the node's log that it hits, or 0.
    Index entry;
    /// The next opening of the log reads it, and must call it damage.
    bool read_at_start = false;
};

/// Turns one bit in what a node's log has on its disk and something says was durable: an entry, the
/// head of a segment, a checkpoint of the log or of one of its groups. Nothing if there is nothing.
///
/// An entry that nothing vouches for yet is left alone: its damage cannot be told from a torn write
/// (docs/formats/journal.md). Requires: no process has the log open, or it need not be told.
[[nodiscard]] std::optional<Rot> rot_a_bit(sim::DiskStore& disk, const std::string& directory,
                                           Random& random);

}  // namespace understudy::swarm
