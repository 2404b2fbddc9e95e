#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/types.h"
#include "sim/disk/disk_store.h"

namespace understudy::swarm {

/// One bit on a node's disk that differs from what was written.
struct Rot {
    std::string path;
    std::uint64_t bit = 0;
    /// The affected entry of the node's log, or 0.
    Index entry;
    /// The next opening of the log reads it and must report damage.
    bool read_at_start = false;
};

/// Flips one bit in data that a node's log has on its disk and something says was durable: an
/// entry, the header of a segment, a checkpoint of the log or of one of its groups. Returns nothing
/// if there is no such data.
///
/// An entry whose durability nothing confirms yet is not changed, because its damage cannot be told
/// from a torn write (docs/formats/journal.md). Requires: no process has the log open, or it need
/// not be told.
[[nodiscard]] std::optional<Rot> rot_a_bit(sim::DiskStore& disk, const std::string& directory,
                                           Random& random);

}  // namespace understudy::swarm
