#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "understudy/result.h"

namespace understudy::journal {

/// The common form of all headers of a journal.
///
/// Shape: magic (8 bytes); CRC-32C of all that follows, from a seed; format version u32; fields;
///        zeros up to `bytes`.
/// Source: docs/formats/journal.md.
struct HeaderForm {
    std::string_view magic;
    std::size_t bytes;  ///< In total.
};

void put_header(const HeaderForm& form, Bytes fields, std::uint32_t seed, Buffer& out);

/// Returns what follows the version. It must be read to the end: see is_reserved(). `what` is the
/// name of the header in errors.
/// Errors: corrupt (none): there is no such header; bad_config (none): it has another version.
[[nodiscard]] Result<ByteReader> open_header(const HeaderForm& form, std::string_view what,
                                               Bytes bytes, std::uint32_t seed);

/// Only zeros are left. A later version may give these bytes a meaning.
[[nodiscard]] bool is_reserved(const ByteReader& rest);

}  // namespace understudy::journal
