#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "understudy/result.h"

namespace understudy::journal {

/// How every header of a journal begins, whatever it is the header of.
///
/// Shape: magic (8 bytes); CRC-32C of all that follows, from a seed; format version u32; fields;
///        zeros up to `bytes`.
/// Source: docs/formats/journal.md.
struct HeaderForm {
    std::string_view magic;
    std::size_t bytes;  ///< In all.
};

void put_header(const HeaderForm& form, Bytes fields, std::uint32_t seed, Buffer& out);

/// What follows the version, to be read in full: see is_reserved(). `what` it is, for errors.
/// Errors: corrupt (none): there is no such header; bad_config (none): of another version.
[[nodiscard]] Result<ByteReader> open_header(const HeaderForm& form, std::string_view what,
                                               Bytes bytes, std::uint32_t seed);

/// Nothing but zeros is left, which a later version may give a meaning.
[[nodiscard]] bool is_reserved(const ByteReader& rest);

}  // namespace understudy::journal
