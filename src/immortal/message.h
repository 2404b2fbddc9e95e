#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "immortal/input.h"

namespace understudy::immortal {

/// Numbers the messages of one immortal to another, from 1, in the order in which they were made.
using MessageNo = Strong<struct MessageNoTag>;

/// Kinds of messages between immortals. The numbers are wire format: never reuse or renumber them.
enum class MessageKind : std::uint8_t {
    one_way = 1,  ///< A call without an answer.
    call = 2,
    reply = 3,
    refusal = 4,  ///< A reply with the reason for a refusal: a Refusal.
};

/// One message of a stream. Views into the stream.
struct Message {
    MessageKind kind;
    std::uint64_t id = 0;        ///< All kinds except one_way: of the call.
    std::string_view name = {};  ///< Calls: the handler.
    Bytes body = {};
};

inline constexpr std::size_t message_size_max = 1 * MiB;  ///< Of a body.

/// Byte layout: docs/formats/immortal.md, "Messages".
void encode(const Message& message, Buffer& out);
/// The next message; nullopt if the input is not one (the reader has then failed).
[[nodiscard]] std::optional<Message> decode_message(ByteReader& in);

/// The reason why a call was not carried out, or not completely, as the body of a refusal.
[[nodiscard]] Buffer encode_refusal(const Error& error);
[[nodiscard]] Error decode_refusal(Bytes body);

/// Consecutive messages of one stream.
struct Batch {
    MessageNo first = {};
    std::uint64_t count = 0;
    Bytes messages = {};
};

inline constexpr std::uint64_t batch_count_max = 1 << 20;
inline constexpr std::size_t batch_bytes_max = message_size_max + 64 * KiB;

[[nodiscard]] Buffer encode_batch_head(const Batch& batch);  ///< What precedes the messages.
/// Reads the head; the messages are not checked. Errors: corrupt, limit_exceeded (none).
[[nodiscard]] Result<Batch> read_batch(Bytes bytes);
/// The same for input from another process: it also checks that the messages are complete, and that
/// their number is right.
[[nodiscard]] Result<Batch> decode_batch(Bytes bytes);

}  // namespace understudy::immortal
