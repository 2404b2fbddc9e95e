#pragma once

#include "understudy/rpc.h"
#include "understudy/types.h"

namespace understudy::library {

// The encoding of calls, with checks that the peer can read them.

/// Errors: bad_config: a name or text is not UTF-8; limit_exceeded (none).
[[nodiscard]] Result<Buffer> encode(const Arguments& arguments);
/// Errors: failed: the text is not UTF-8; limit_exceeded (unknown): the handler has run.
[[nodiscard]] Result<Buffer> encode(const CallResult& result);

}  // namespace understudy::library
