#pragma once

#include <utility>

#include "registry/machine.h"
#include "wire/control.h"

namespace understudy::registry {

/// One event's time and effects.
struct Machine::Turn {
    TimePoint now;
    std::uint64_t wall_ms;
    Effects out = {};

    template <class Message>
    void send(SessionId to, wire::MessageType type, const Message& message) {
        Buffer body;
        (void)wire::encode(message, body);
        out.push_back(Send{to, type, std::move(body)});
    }
};

}  // namespace understudy::registry
