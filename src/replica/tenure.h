#pragma once

#include <concepts>
#include <cstdint>
#include <variant>
#include <vector>

#include "base/types.h"
#include "replica/proposals.h"
#include "understudy/types.h"
#include "wire/message_type.h"

namespace understudy::replica {

// The effects that every tenure may have.

/// Sends a message to a session. If the session does not read its messages, it is closed instead.
struct Send {
    LinkId to;
    wire::MessageType type;
    Buffer body;
};
/// Ends a session at once. The tenure is told by closed().
struct Close {
    LinkId session;
};
/// Offers a command to the journal. committed() answers with the same token.
struct Propose {
    std::uint64_t token;
    Buffer command;
    /// A promotion, or a command that leads to one. It may use the reserve of a full disk.
    bool urgent;
};
/// Asks for confirmation that the tenure still lasts. confirmed() answers with the same token.
struct Confirm {
    std::uint64_t token;
};

/// The part of a journaled service that exists only at its active copy, and only for one epoch.
///
/// A tenure turns what happens into commands for the service's State, and what the State decided
/// into messages to its sessions. It is pure: events and the time in, effects out. It is created at
/// the promotion and destroyed at the end of the role, so that nothing of an earlier tenure can get
/// into a later one. Answers that come after its end are not told to the next tenure.
///
/// Sessions are connections; each is numbered by its LinkId. In order:
///
/// - start(): the first call. `random` is a random number, for values that the tenure must choose.
/// - welcome(): whether a peer may have a session, and what it is told; opened() follows.
/// - received(): a message of a session. An error ends the session: its peer does not speak the
///   protocol.
/// - closed(): a session has ended.
/// - committed(), confirmed(): the answers to Propose and Confirm.
/// - tick(): the time of next_deadline() has come. next_deadline() is called only after start() and
///   after each tick(), so its result must not be later than the tenure can wait, whatever happens
///   meanwhile.
/// - retire(): the last call. Of its effects, only Send and Close are carried out. After it, every
///   session ends.
///
/// Effect is a variant of the effects above and of those that only this kind of service has.
/// Applied is what the tenure needs from the reply of a command.
template <class T>
concept Tenure = requires(T tenure, const T constant, TimePoint now, std::uint64_t number,
                          LinkId session, wire::MessageType type, Bytes bytes, Index index,
                          const typename T::Hello& hello,
                          const Result<typename T::Applied>& applied, const Result<void>& result) {
    typename T::Effect;
    typename T::Welcome;
    { tenure.start(now, number, number) } -> std::same_as<std::vector<typename T::Effect>>;
    { constant.welcome(hello) } -> std::same_as<Result<typename T::Welcome>>;
    { tenure.opened(now, session, hello) } -> std::same_as<std::vector<typename T::Effect>>;
    {
        tenure.received(now, number, session, type, bytes)
    } -> std::same_as<Result<std::vector<typename T::Effect>>>;
    { tenure.closed(now, session) } -> std::same_as<std::vector<typename T::Effect>>;
    {
        tenure.committed(now, number, number, applied)
    } -> std::same_as<std::vector<typename T::Effect>>;
    { tenure.confirmed(now, number, result) } -> std::same_as<std::vector<typename T::Effect>>;
    { tenure.tick(now, number) } -> std::same_as<std::vector<typename T::Effect>>;
    { tenure.retire(now) } -> std::same_as<std::vector<typename T::Effect>>;
    { constant.next_deadline(now) } -> std::same_as<TimePoint>;
    { T::Applied::from(index, bytes) } -> std::same_as<Result<typename T::Applied>>;
};

}  // namespace understudy::replica
