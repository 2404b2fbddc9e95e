#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace understudy::journal {

// The names in a shared journal's directory. Source: docs/formats/shared-journal.md.

/// The file that says which epoch is the present one. It is replaced as a whole and never written
/// in place.
inline constexpr std::string_view epoch_name = "epoch";
/// The member that writes a checkpoint holds the lock of this file.
inline constexpr std::string_view checkpoint_lock_name = "checkpoint.lock";

/// "0000000000000007-2a00000000000001.seg"
[[nodiscard]] std::string shared_segment_name(Epoch epoch, std::uint64_t generation);
/// "0000000000000007.claim"
[[nodiscard]] std::string claim_name(Epoch epoch);
/// "2a5c0d3e00112233.spare": zeros that a standby keeps for its first segment.
[[nodiscard]] std::string spare_name(std::uint64_t owner);

/// The number of a segment in its tenure; the first is 1. The rest of a generation is random.
[[nodiscard]] constexpr std::uint32_t segment_count(std::uint64_t generation) {
    return static_cast<std::uint32_t>(generation);
}

/// What the names of the files in a directory say. Other names are left out.
struct SharedNames {
    std::map<Epoch, std::vector<std::uint64_t>> segments;  ///< Generations, ascending.
    std::vector<Epoch> claims;                             ///< Ascending.
    std::vector<Index> checkpoints;                        ///< Newest first.
    std::vector<std::string> spares;
    std::vector<std::string> temporaries;

    /// Requires: `names` sorted.
    [[nodiscard]] static SharedNames of(const std::vector<std::string>& names);

    /// The highest epoch that has a segment; 0 if there is none.
    [[nodiscard]] Epoch head() const;
    /// The highest epoch that has a claim or a segment; 0 if there is none.
    [[nodiscard]] Epoch highest() const;
};

}  // namespace understudy::journal
