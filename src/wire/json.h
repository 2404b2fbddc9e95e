#pragma once

#include <string>
#include <string_view>

#include "understudy/types.h"
#include "wire/dynamic.h"

namespace understudy::wire {

// JSON (RFC 8259), in which people and scripts write arguments and read results.
//
// Bytes, which JSON does not have, are an object with one member: {"$bytes": "00ff"}. A real always
// has a point or an exponent (3.0), so that it is read as a real. One that is not finite is null.

/// One line without blanks. The keys of an object are in byte order.
[[nodiscard]] std::string to_json(const Dynamic& value);

/// Reads one JSON text. Errors: corrupt, limit_exceeded; the detail has the position.
[[nodiscard]] Result<Dynamic> parse_json(std::string_view text);

}  // namespace understudy::wire
