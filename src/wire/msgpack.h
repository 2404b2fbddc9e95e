#pragma once

#include "understudy/types.h"
#include "wire/dynamic.h"

namespace understudy::wire {

// MessagePack (understudy/message_pack.h) as trees, for the arguments and results of calls. Maps
// have text keys, each once; text is UTF-8.

/// Appends `value` in its shortest form. The keys of a map are in byte order.
/// Errors: limit_exceeded (none): too deep or too many values; bad_config (none): text that is not
///         UTF-8. `out` then has only a part.
[[nodiscard]] Result<void> encode_msgpack(const Dynamic& value, Buffer& out);

/// Reads one value that fills `input`. A size is checked against the input before memory is
/// allocated for it. Errors: corrupt, limit_exceeded; the detail has the position.
[[nodiscard]] Result<Dynamic> decode_msgpack(Bytes input);

}  // namespace understudy::wire
