#pragma once

#include "understudy/types.h"
#include "understudy/value.h"
#include "wire/dynamic.h"

namespace understudy::record {

// The arguments of a call are sent as a MessagePack map by name, its result as a MessagePack value.
// Values are a subset of what MessagePack has: text, integer, real, bytes.

/// Replaces the content of `out`.
/// Errors: bad_config: a name or text is not UTF-8; limit_exceeded (none).
[[nodiscard]] Result<void> encode_arguments(const Fields& arguments, Buffer& out);

/// Errors: corrupt, limit_exceeded; bad_config: an argument has another type, which the detail
/// names.
[[nodiscard]] Result<Fields> decode_arguments(Bytes arguments);

[[nodiscard]] wire::Dynamic to_dynamic(const Value& value);
/// Errors: bad_config: nil, a truth value, an array, a map, or an integer above 2^63.
[[nodiscard]] Result<Value> to_value(const wire::Dynamic& value);

}  // namespace understudy::record
