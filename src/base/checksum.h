#pragma once

#include <cstdint>

#include "understudy/types.h"

namespace understudy {

/// CRC-32C (Castagnoli) of `bytes`, continuing from `seed` (the result of an earlier call, or 0).
///
/// Uses the processor's instruction if there is one, else a table. The result is the same.
/// Source: RFC 3720, appendix B.4 (test vectors).
[[nodiscard]] std::uint32_t crc32c(Bytes bytes, std::uint32_t seed = 0);

/// The same checksum computed with a table, as on a processor without the instruction.
[[nodiscard]] std::uint32_t crc32c_portable(Bytes bytes, std::uint32_t seed = 0);

/// XXH3 of `bytes`, 64 bits, for state hashes and keys. Never use it to detect damage.
[[nodiscard]] std::uint64_t hash64(Bytes bytes, std::uint64_t seed = 0);

}  // namespace understudy
