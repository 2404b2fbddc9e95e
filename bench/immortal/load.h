#pragma once

#include <string>

#include "bench/calls/closed_loop.h"
#include "bench/immortal/pair.h"

namespace understudy::bench {

struct Spans {
    Duration warm_up;
    Duration measured;
};

/// "16 B", "1 KiB"
[[nodiscard]] std::string size_text(std::size_t bytes);
/// The number of calls that fill a megabyte or two, at most 4,096.
[[nodiscard]] std::size_t window_of(std::size_t bytes);
[[nodiscard]] std::string in_ms(Duration time);

/// One-way calls of this many bytes, as fast as possible. Each must have been carried out once.
[[nodiscard]] Result<Calls> one_way(ImmortalPair& pair, std::size_t bytes, const Spans& spans);
/// `verb`: "echo" between the two immortals, or "session" by the session of a client.
[[nodiscard]] Result<Calls> echo(ImmortalPair& pair, const std::string& verb, std::size_t bytes,
                                 std::size_t window, const Spans& spans);

}  // namespace understudy::bench
