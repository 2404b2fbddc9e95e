#pragma once

#include "consensus/core.h"

namespace understudy::consensus {

/// Appends the bytes of a message. The transport knows sender, receiver and group.
/// Requires: check() is content; an AppendRequest carries its entries.
/// Source: docs/formats/consensus.md, "Messages".
void encode(const Message& message, Buffer& out);
/// What encode() will append.
[[nodiscard]] std::size_t encoded_size(const Message& message);

/// Entry bodies are views into `frame` and share its owner: nothing of them is copied.
/// Errors: corrupt (none): cut off, unknown, too long, or check() is not content.
[[nodiscard]] Result<Message> decode(const SharedBytes& frame);

/// Whether the fields of a message agree with each other. The engine trusts them blindly.
/// Errors: corrupt (none); limit_exceeded (none).
[[nodiscard]] Result<void> check(const Message& message);

[[nodiscard]] Epoch term_of(const Message& message);

}  // namespace understudy::consensus
