#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace understudy::journal {

/// How many checkpoints are kept. The entries since the oldest of them are kept too.
inline constexpr std::size_t checkpoints_kept = 2;

/// Identifies a checkpoint: the journal and the entry that it must fit to.
struct Checkpoint {
    std::uint32_t journal = 0;   ///< journal_id() of its segments.
    Index at;                    ///< The last entry in the state. Also the file's name.
    Epoch epoch;                 ///< Of that entry.
    std::uint32_t checksum = 0;  ///< Of that entry.
    friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// The start of a checkpoint file. The state follows, up to the end of the file.
struct CheckpointHeader {
    Checkpoint checkpoint;
    std::uint64_t state_bytes = 0;
    std::uint32_t state_checksum = 0;
    friend bool operator==(const CheckpointHeader&, const CheckpointHeader&) = default;
};

inline constexpr std::size_t checkpoint_header_bytes = 64;

/// Source: docs/formats/journal.md, section "Checkpoints".
[[nodiscard]] Buffer encode(const CheckpointHeader& header);

/// The header at the start of `file`. Errors: corrupt (none); bad_config (none) for another
/// version.
[[nodiscard]] Result<CheckpointHeader> decode_checkpoint_header(Bytes file);

/// "0000000000002710.ckpt"
[[nodiscard]] std::string checkpoint_name(Index at);
[[nodiscard]] std::optional<Index> parse_checkpoint_name(std::string_view name);

[[nodiscard]] Error bad_checkpoint(std::string_view why);

}  // namespace understudy::journal
