#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/types.h"
#include "understudy/types.h"
#include "wire/message_type.h"

namespace understudy::record {

// Bodies of the messages 32 to 63 (docs/formats/record.md, section "Messages"). Numbers are
// varints, names are text with its length before it, and a field of type Bytes goes to the end of
// the body.
//
// Everything decoded is a view into the body. Names (understudy/limits.h) and flags are checked.
// The content of Bytes is checked when it is decoded. Errors of every decode_*(): corrupt.

struct Subscribe {
    SubscriptionId subscription;  ///< Chosen by the subscriber, not in use on this link.
    std::string_view record;
    std::string_view token = {};  ///< For the member's permission filter. Up to 255 bytes.
};
struct Unsubscribe {
    SubscriptionId subscription;
};
struct Resync {
    SubscriptionId subscription;
};

/// What a member says about one record to one subscription: the messages image, delta, absent,
/// removed and subscribe_refused.
struct Event {
    wire::MessageType type;
    SubscriptionId subscription;
    Epoch epoch = {};        ///< Of the member that sends this. Not in subscribe_refused.
    Sequence sequence = {};  ///< In image, delta and removed.
    Bytes bytes = {};        ///< The image or the delta (codec.h), or the reason of the refusal.
};

/// A list of names: of records (notices) or of calls (rpc_names).
///
/// A long list is sent in several messages. The first one `restarts`: the receiver empties its
/// list. The last one `completes` it. Later messages tell what was added and removed since.
struct Names {
    bool restarts = false;
    bool completes = false;
    std::vector<std::string_view> added = {};
    std::vector<std::string_view> removed = {};
};

/// Whether the caller waits for the member's answer. If not, the member sends none.
enum class Answer : std::uint8_t { wanted = 0, unwanted = 1 };

struct RpcRequest {
    CallId call;
    Answer answer = Answer::wanted;
    std::uint64_t timeout_ms = 0;  ///< Until the caller's deadline. 0: it has none.
    Epoch epoch = {};              ///< The epoch that the caller knows of. 0: any.
    std::string_view name;
    Bytes arguments;  ///< A MessagePack map.
};
struct RpcReply {
    CallId call;
    std::variant<Bytes, Error> outcome;  ///< A MessagePack value, or an error.
};

/// Each encode() replaces the content of `out` with the body of one message.
void encode(const Subscribe& message, Buffer& out);
void encode(const Unsubscribe& message, Buffer& out);
void encode(const Resync& message, Buffer& out);
void encode(const Event& message, Buffer& out);
void encode(const Names& message, Buffer& out);
void encode(const RpcRequest& message, Buffer& out);
void encode(const RpcReply& message, Buffer& out);

/// The bytes of a refusal.
[[nodiscard]] Buffer encode_reason(const Error& reason);

/// The body without its bytes, for Channel::put(type, {head, bytes}) without a copy.
void encode_head(const RpcRequest& message, Buffer& out);
void encode_head(const RpcReply& message, Buffer& out);

[[nodiscard]] Result<Subscribe> decode_subscribe(Bytes body);
[[nodiscard]] Result<Unsubscribe> decode_unsubscribe(Bytes body);
[[nodiscard]] Result<Resync> decode_resync(Bytes body);
/// Errors: corrupt, also if `type` is not that of an event.
[[nodiscard]] Result<Event> decode_event(wire::MessageType type, Bytes body);
/// Why a subscription was refused. Requires: a decoded event, a subscribe_refused.
[[nodiscard]] Error reason(const Event& refusal);
[[nodiscard]] Result<Names> decode_names(Bytes body);
[[nodiscard]] Result<RpcRequest> decode_rpc_request(Bytes body);
[[nodiscard]] Result<RpcReply> decode_rpc_reply(Bytes body);

}  // namespace understudy::record
