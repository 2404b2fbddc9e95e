#pragma once

#include <string>
#include <string_view>

#include "understudy/types.h"
#include "wire/dynamic.h"

namespace understudy::wire {

// JSON (RFC 8259) as people and scripts write arguments and read results.
//
// Bytes, which JSON does not have, are an object with one member: {"$bytes": "00ff"}. A real keeps
// its point (3.0) and so stays one; what is not finite becomes null.

/// One line, without blanks; objects in byte order of their keys.
[[nodiscard]] std::string to_json(const Dynamic& value);

/// Reads one JSON text. Errors: corrupt, limit_exceeded; the detail says at which byte.
[[nodiscard]] Result<Dynamic> parse_json(std::string_view text);

}  // namespace understudy::wire
