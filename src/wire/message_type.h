#pragma once

#include <cstdint>

namespace understudy::wire {

/// The type of a message in a batch. The numbers are wire format: never reuse or renumber one.
///
/// 1 to 31: control messages (control.h). 32 to 63: records and calls (record/messages.h).
/// 64 to 79: between nodes (replicated/messages.h, and prompts of shared journals). 80 to 95:
/// between immortals (node/immortal/courier.h). 96 to 111: between clients and replicas
/// (hosting/request_messages.h). 0 is never sent. Numbers above 111 are free.
enum class MessageType : std::uint8_t {
    // Agent to registry.
    register_member = 1,
    unregister_member = 2,
    heartbeat = 3,
    watch = 4,
    unwatch = 5,
    ask = 6,
    drained = 7,

    // Registry to agent.
    registered = 8,
    heartbeat_ack = 9,
    role_grant = 10,
    revoked = 11,
    drain = 12,
    watch_image = 13,
    watch_change = 14,
    answer = 15,

    // Member to proxy.
    role_notice = 16,

    // Registry to agent.
    registry_nodes = 17,

    // Agent to registry.
    member_report = 18,  ///< The role of a member by its journal, and how far it is.

    // Records and calls, between proxies and members.
    subscribe = 32,         ///< Subscriber to publisher: asks for a record.
    unsubscribe = 33,       ///< Subscriber to publisher.
    resync = 34,            ///< Subscriber to publisher: asks for an image after a missing change.
    image = 35,             ///< All fields of a record. Replaces what the subscriber has.
    delta = 36,             ///< One change of a record.
    absent = 37,            ///< There is no such record. The subscription is kept.
    removed = 38,           ///< The record was removed. The subscription is kept.
    subscribe_refused = 39,  ///< The subscription was refused, with the reason.
    notices_wanted = 40,    ///< Subscriber to publisher: asks for the names of all records.
    notices = 41,           ///< Records added and removed.
    rpc_request = 42,
    rpc_reply = 43,
    rpc_names_wanted = 44,  ///< Caller to member: asks for the names of all calls.
    rpc_names = 45,         ///< Calls added and removed.

    // Between nodes, for replicated journals.
    consensus = 64,       ///< One message of the consensus of one group.
    found = 65,           ///< Founder to founder: the sender has nothing of this group.
    founded = 66,         ///< The answer: the founding members, or that the sender must join.
    join = 67,            ///< To the leader: this member is not in the group yet.
    fetch = 68,           ///< Asks for a checkpoint.
    chunk = 69,           ///< A part of a checkpoint.
    chunk_taken = 70,     ///< That part is written: the next may be sent.

    // Between the members of a shared directory.
    prompt = 72,  ///< Active to standby: entries up to this one are committed.

    // Between immortals, and their clients.
    calls = 80,           ///< A batch of numbered calls and replies.
    calls_durable = 81,   ///< All calls up to this number are in the receiver's journal.

    // Between clients and replicas.
    request = 96,  ///< A command of a session, under its number.
    request_answer = 97,
    outcome_ask = 98,   ///< Asks for the outcome of a request.
    outcome = 99,       ///< The answer to that.
    session_end = 100,  ///< The client ends its session.
};

inline constexpr std::uint8_t control_type_min = 1;
inline constexpr std::uint8_t control_type_max = 31;

[[nodiscard]] constexpr bool is_control(MessageType type) {
    const auto number = static_cast<std::uint8_t>(type);
    return number >= control_type_min && number <= control_type_max;
}

}  // namespace understudy::wire
