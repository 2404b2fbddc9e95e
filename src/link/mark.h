#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "understudy/result.h"

namespace understudy::link {

/// The beginning of the opaque part of a handshake: the protocol of the two ends and its version.
///
/// Bytes: `text`, then version u8.
struct Mark {
    std::string_view text;
    std::uint8_t version;
    std::string_view between;  ///< "immortals": for messages.
};

void write_mark(ByteWriter& writer, const Mark& mark);
/// Errors: refused (none): another protocol, or a version of it that is not supported here.
[[nodiscard]] Result<void> check_mark(ByteReader& reader, const Mark& mark);

}  // namespace understudy::link
