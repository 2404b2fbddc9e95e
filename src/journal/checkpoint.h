#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace understudy::journal {

/// What a checkpoint is a state of, and what it must fit to.
struct Checkpoint {
    std::uint32_t journal = 0;   ///< journal_id() of its segments.
    Index at;                    ///< The last entry in the state. Also the file's name.
    Epoch epoch;                 ///< Of that entry.
    std::uint32_t checksum = 0;  ///< Of that entry.
    friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

/// A checkpoint as its file holds it.
struct LoadedCheckpoint {
    Checkpoint checkpoint;
    Buffer state;
};

inline constexpr std::size_t checkpoint_header_bytes = 64;

/// The header that goes before `state`.
/// Source: docs/formats/journal.md, section "Checkpoints".
[[nodiscard]] Buffer encode_checkpoint_header(const Checkpoint& checkpoint, Bytes state);

/// Takes apart a whole file. Errors: corrupt (none); bad_config (none) for another version.
[[nodiscard]] Result<LoadedCheckpoint> decode_checkpoint(Buffer file);

/// "0000000000002710.ckpt"
[[nodiscard]] std::string checkpoint_name(Index at);
[[nodiscard]] std::optional<Index> parse_checkpoint_name(std::string_view name);

}  // namespace understudy::journal
