#pragma once

#include <cstdint>
#include <vector>

#include "consensus/core.h"
#include "journal/format/entry.h"
#include "replicated/node/members.h"

namespace understudy::replicated {

/// What an entry of kind `command` is for.
///
/// A body that does not begin with `escape_byte` is a command as it was drafted: a usual command
/// costs no byte and no copy. Otherwise the second byte says what the rest is. Source:
/// docs/protocols/replication.md, section "Encodings".
enum class BodyKind : std::uint8_t {
    command = 0,  ///< A command that begins with the escape byte.
    members = 1,  ///< Members, encoded.
    mark = 2,     ///< Nothing.
};

inline constexpr std::byte escape_byte{0xf5};

struct EntryBody {
    BodyKind kind = BodyKind::command;
    Bytes content;
};

/// Makes `content` a body. Commands that need no escape are left as they are.
[[nodiscard]] Buffer encode_body(BodyKind kind, Buffer content);
/// An unknown kind was written by a later version. Errors: corrupt (none).
[[nodiscard]] Result<EntryBody> decode_body(Bytes body);

/// A node's log stores the kind of an entry together with its urgency, so that an urgent entry may
/// use the reserve of a full disk at each member.
inline constexpr std::uint8_t urgent_bit = 0x80;

[[nodiscard]] constexpr std::uint8_t stored_kind(consensus::EntryKind kind, bool urgent) {
    return static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) | (urgent ? urgent_bit : 0));
}
[[nodiscard]] constexpr bool is_urgent(std::uint8_t stored) { return (stored & urgent_bit) != 0; }
[[nodiscard]] constexpr consensus::EntryKind kind_of(std::uint8_t stored) {
    return static_cast<consensus::EntryKind>(stored & ~urgent_bit);
}
[[nodiscard]] constexpr bool is_stored_kind(std::uint8_t stored) {
    const auto kind = stored & ~urgent_bit;
    return kind >= 1 && kind <= 3;
}

}  // namespace understudy::replicated
