#pragma once

#include <cstdint>
#include <string_view>

#include "base/types.h"

namespace understudy::immortal {

/// Counts what an immortal is told, from 1, without gaps: the same at every copy.
using Position = Strong<struct PositionTag>;

/// What an immortal is told. The numbers are wire format: never reuse, never renumber.
enum class InputKind : std::uint8_t {
    start = 1,    ///< First of all: it exists.
    call = 2,     ///< By another immortal, a client, or (no source) an impulse.
    reply = 3,    ///< To a call of its own.
    timer = 4,    ///< A timer of its own is due. One it does not know any more is to be ignored.
    upgrade = 5,  ///< From here on the code of another version acts.
};

/// One thing that an immortal is told. Views live as long as the call.
struct Input {
    Position position = {};
    InputKind kind = InputKind::call;
    std::string_view source = {};  ///< Who calls or replies.
    /// call: 0 if no answer is wanted; reply: of the call; timer; version.
    std::uint64_t id = 0;
    std::string_view name = {};    ///< call: of the handler.
    /// call: arguments; reply: what the handler returned, or a refusal.
    Bytes body = {};
    bool refused = false;     ///< reply: the body is an error code and a text (message.h).
    Duration time = {};          ///< Of the service, the same at every copy.
    std::uint64_t wall_ms = 0;  ///< What the active member's clock said.
    std::uint64_t random = 0;   ///< A fresh random value, the same at every copy.
};

/// What an immortal does. The numbers are wire format: never reuse, never renumber.
enum class OutputKind : std::uint8_t {
    call = 1,
    reply = 2,
    timer = 3,   ///< Starts one.
    cancel = 4,  ///< Ends one.
};

/// Views live as long as the call.
struct Output {
    OutputKind kind = OutputKind::call;
    std::string_view to = {};    ///< call, reply: whom. reply, empty: who sent the impulse.
    /// call: 0 if no answer is wanted; reply: of the call; else the timer's.
    std::uint64_t id = 0;
    std::string_view name = {};  ///< call: of the handler.
    Bytes body = {};
    bool refused = false;
    Duration due = {};  ///< timer: in the time of the service.
};

}  // namespace understudy::immortal
