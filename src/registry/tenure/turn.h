#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "registry/tenure/effects.h"
#include "registry/tenure/pending.h"
#include "wire/control.h"
#include "wire/registry_log.pb.h"

namespace understudy::registry {

/// May a command use the room that a full disk keeps for promotions?
enum class Urgency : bool { usual, urgent };

/// One event of a tenure: its time, and the effects that it leads to.
struct Turn {
    TimePoint now;
    std::uint64_t wall_ms;
    Pending& pending;
    Effects out = {};
    std::vector<Proposal> crowded_out = {};  ///< `pending` had no room for them.

    template <class Message>
    void send(SessionId to, wire::MessageType type, const Message& message) {
        Buffer body;
        (void)wire::encode(message, body);
        out.push_back(Send{to, type, std::move(body)});
    }
    /// Answers a question.
    void answer(SessionId to, std::uint64_t request, wire::pb::Answer answer);
    void succeed(SessionId to, std::uint64_t request) { answer(to, request, {}); }
    void fail(SessionId to, std::uint64_t request, const Error& error);
    void propose(Proposal proposal, wire::pb::RegistryCommand command, Urgency urgency);
};

}  // namespace understudy::registry
