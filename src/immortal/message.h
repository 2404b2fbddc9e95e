#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "immortal/input.h"

namespace understudy::immortal {

/// Numbers what one immortal sends to another, from 1, in the order in which it was made.
using MessageNo = Strong<struct MessageNoTag>;

/// What immortals send each other. The numbers are wire format: never reuse, never renumber.
enum class MessageKind : std::uint8_t {
    one_way = 1,  ///< A call that wants no answer.
    call = 2,
    reply = 3,
    refusal = 4,  ///< A reply that says why not: a Refusal.
};

/// One message of a stream. Views into the stream.
struct Message {
    MessageKind kind;
    std::uint64_t id = 0;   ///< All but one_way: of the call.
    std::string_view name = {};  ///< Calls: the handler.
    Bytes body = {};
};

inline constexpr std::size_t message_size_max = 1 * MiB;  ///< Of a body.

/// Byte layout: docs/formats/immortal.md, "Messages".
void encode(const Message& message, Buffer& out);
/// The message that comes next; nullopt: the input is not one (the reader has failed).
[[nodiscard]] std::optional<Message> decode_message(ByteReader& in);

/// Why a call was not carried out, or not to its end, as the body of a refusal.
[[nodiscard]] Buffer encode_refusal(const Error& error);
[[nodiscard]] Error decode_refusal(Bytes body);

/// A run of messages of one stream.
struct Batch {
    MessageNo first = {};
    std::uint64_t count = 0;
    Bytes messages = {};
};

inline constexpr std::uint64_t batch_count_max = 1 << 20;
inline constexpr std::size_t batch_bytes_max = message_size_max + 64 * KiB;

[[nodiscard]] Buffer encode_batch_head(const Batch& batch);  ///< What precedes the messages.
/// Reads the head; the messages are not looked at. Errors: corrupt, limit_exceeded (none).
[[nodiscard]] Result<Batch> read_batch(Bytes bytes);
/// The same for what comes from another process: the messages are whole, and as many as it says.
[[nodiscard]] Result<Batch> decode_batch(Bytes bytes);

}  // namespace understudy::immortal
