#pragma once

#include "understudy/rpc.h"
#include "understudy/types.h"

namespace understudy::library {

// What travels of a call, checked so that the other side can read it.

/// Errors: bad_config: a name or text is not UTF-8; limit_exceeded (none).
[[nodiscard]] Result<Buffer> encode(const Arguments& arguments);
/// Errors: failed: the text is not UTF-8; limit_exceeded (unknown: the handler has run).
[[nodiscard]] Result<Buffer> encode(const CallResult& result);

}  // namespace understudy::library
