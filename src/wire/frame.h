#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "understudy/types.h"

namespace understudy::wire {

// Frame, little-endian (docs/formats/wire.md, section "Frame"):
//
//     magic   u16   0x5553, on the wire "SU"
//     version u8    1
//     kind    u8    FrameKind
//     length  u32   payload bytes, at most payload_size_max
//     crc     u32   crc32c of the eight bytes above and of the payload
//     payload u8[length]
inline constexpr std::uint16_t frame_magic = 0x5553;
inline constexpr std::uint8_t frame_version = 1;
inline constexpr std::size_t checked_header_size = 2 + 1 + 1 + 4;
inline constexpr std::size_t header_size = checked_header_size + 4;
inline constexpr std::size_t payload_size_max = 4 * MiB;
inline constexpr std::size_t handshake_size_max = 8 * KiB;  ///< Any payload of the handshake.

enum class FrameKind : std::uint8_t {
    hello = 1,
    welcome = 2,
    batch = 3,
    batch_gzip = 4,
    batch_zstd = 5,
};
inline constexpr std::uint8_t kind_max = 5;

struct Frame {
    FrameKind kind;
    Bytes payload;           ///< A view into the decoded input.
    std::size_t size_bytes;  ///< Of header and payload: to be consumed.
};

/// Decodes one whole frame at the front of `input`. Consumes nothing.
///
/// Returns nullopt while bytes are missing. Never reads past `input`, never allocates. The header
/// is checked as soon as it is whole, before the payload has arrived.
/// Errors: corrupt, limit_exceeded. After either the stream cannot be used any more: close it.
[[nodiscard]] Result<std::optional<Frame>> decode(Bytes input, std::size_t payload_max);

/// How many bytes `input`, the beginning of a frame, still lacks: up to the end of its header, or
/// if that is there, up to the end of its payload.
/// Requires: decode() has returned nullopt for `input`.
[[nodiscard]] std::size_t missing(Bytes input);

/// Fills in the header of a frame whose payload is already there.
/// Requires: frame.size() >= header_size, and the payload is within payload_size_max.
void seal(FrameKind kind, std::span<std::byte> frame);

}  // namespace understudy::wire
