#pragma once

#include <cstdint>

#include "understudy/types.h"

namespace understudy {

/// CRC-32C (Castagnoli) of `bytes`, continuing from `seed` (the result of an earlier call, or 0).
///
/// Uses the processor's instruction where there is one, a table otherwise; the result is the same.
/// Source: RFC 3720, appendix B.4 (test vectors).
[[nodiscard]] std::uint32_t crc32c(Bytes bytes, std::uint32_t seed = 0);

/// The same by table on every processor: what a machine without the instruction computes.
[[nodiscard]] std::uint32_t crc32c_portable(Bytes bytes, std::uint32_t seed = 0);

/// XXH3 of `bytes`, 64 bits: for state hashes and keys, never as a defence against damage.
[[nodiscard]] std::uint64_t hash64(Bytes bytes, std::uint64_t seed = 0);

}  // namespace understudy
