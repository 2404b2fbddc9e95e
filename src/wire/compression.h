#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "understudy/types.h"

namespace understudy::wire {

/// How batches of one connection are compressed. The numbers are wire format.
enum class Compression : std::uint8_t { none = 0, gzip = 1, zstd = 2 };
inline constexpr std::uint8_t compression_max = 2;
[[nodiscard]] std::string_view name(Compression compression);
[[nodiscard]] std::optional<Compression> parse_compression(std::string_view text);

/// Compresses and restores batches, each independent of the others.
///
/// Has the working memory of the libraries (about 300 KiB for gzip, 1 MiB for zstd), which is made
/// at first use and then reused: a batch allocates nothing. One serves all channels of a loop.
///
/// Format: a compressed payload is the plain size as u32 and then one gzip member (RFC 1952) or one
///        zstd frame (RFC 8878).
/// Bounds: the plain size is checked against `plain_max`, and beyond `plain_allowance` against
///         `ratio_max` times the compressed size, before memory for it is used. compress() keeps to
///         the same rule.
/// Thread: the owner's.
class Compressor {
public:
    static constexpr std::size_t ratio_max = 1024;
    static constexpr std::size_t plain_allowance = 256 * KiB;

    Compressor();
    ~Compressor();
    Compressor(const Compressor&) = delete;
    Compressor& operator=(const Compressor&) = delete;

    /// The compressed payload, valid until the next call. Nullopt: send it plain, because it would
    /// not be smaller, or so much smaller that restore() would refuse it.
    /// Requires: compression is not none; plain.size() is at most 32 bits.
    [[nodiscard]] std::optional<Bytes> compress(Compression compression, Bytes plain);

    /// The plain payload, valid until the next call.
    /// Errors: corrupt, limit_exceeded.
    [[nodiscard]] Result<Bytes> restore(Compression compression, Bytes payload,
                                        std::size_t plain_max);

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
    Buffer compressed_;
    Buffer plain_;
};

}  // namespace understudy::wire
