#pragma once

#include <string_view>

#include "understudy/types.h"
#include "wire/dynamic.h"

namespace understudy::wire {

// MessagePack (the specification of that name, without its extension types), for the arguments and
// results of calls. Maps have text keys, each once; text is UTF-8.

/// Appends `value` in its shortest form; maps in byte order of their keys.
/// Errors: limit_exceeded (none): too deep or too many; bad_config (none): text that is not UTF-8.
///         `out` is then of no use.
[[nodiscard]] Result<void> encode_msgpack(const Dynamic& value, Buffer& out);

/// Reads one value that fills `input`. Nothing is allocated for what the input only claims to have.
/// Errors: corrupt, limit_exceeded; the detail says at which byte.
[[nodiscard]] Result<Dynamic> decode_msgpack(Bytes input);

/// Writes single items, for whoever has no tree: sizes first, then as many items.
class MsgpackWriter {
public:
    explicit MsgpackWriter(Buffer& out) : out_(out) {}

    void nil();
    void boolean(bool truth);
    void integer(std::int64_t number);
    void big_integer(std::uint64_t number);
    void real(double number);
    void text(std::string_view text);
    void bytes(Bytes bytes);
    void array(std::size_t size);
    void map(std::size_t size);

private:
    void lead(std::uint8_t byte);
    template <class Number>
    void lead(std::uint8_t byte, Number number);

    Buffer& out_;
};

}  // namespace understudy::wire
