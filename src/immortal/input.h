#pragma once

#include <cstdint>
#include <string_view>

#include "base/types.h"

namespace understudy::immortal {

/// Counts the inputs of an immortal from 1 without gaps. It is the same at every copy.
using Position = Strong<struct PositionTag>;

/// Kinds of inputs of an immortal. The numbers are wire format: never reuse or renumber them.
enum class InputKind : std::uint8_t {
    start = 1,    ///< The first input of all.
    call = 2,     ///< From another immortal, a client, or (without a source) an impulse.
    reply = 3,    ///< To a call that it made.
    timer = 4,    ///< One of its timers is due. It ignores a timer that it no longer knows.
    upgrade = 5,  ///< From here on code of another version is used.
};

/// One input of an immortal. Views live as long as the call.
struct Input {
    Position position = {};
    InputKind kind = InputKind::call;
    std::string_view source = {};  ///< The sender of a call or reply.
    /// call: its id, 0 if no answer is wanted; reply: the id of the call; timer: its id; otherwise
    /// the version.
    std::uint64_t id = 0;
    std::string_view name = {};  ///< call: the handler.
    /// call: arguments; reply: what the handler returned, or a refusal.
    Bytes body = {};
    bool refused = false;     ///< reply: the body is an error code and a text (message.h).
    Duration time = {};       ///< The service's time, the same at every copy.
    std::uint64_t wall_ms = 0;  ///< The wall clock of the active member.
    std::uint64_t random = 0;   ///< A fresh random value, the same at every copy.
};

/// Kinds of outputs of an immortal. The numbers are wire format: never reuse or renumber them.
enum class OutputKind : std::uint8_t {
    call = 1,
    reply = 2,
    timer = 3,   ///< Starts a timer.
    cancel = 4,  ///< Ends a timer.
};

/// Views live as long as the call.
struct Output {
    OutputKind kind = OutputKind::call;
    /// call, reply: the receiver. Empty for a reply: the sender of the impulse.
    std::string_view to = {};
    /// call: its id, 0 if no answer is wanted; reply: the id of the call; otherwise the timer's id.
    std::uint64_t id = 0;
    std::string_view name = {};  ///< call: the handler.
    Bytes body = {};
    bool refused = false;
    Duration due = {};  ///< timer: in the service's time.
};

}  // namespace understudy::immortal
