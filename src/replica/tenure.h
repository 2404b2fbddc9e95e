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

/// A session is told something. If it does not read what it is told, it is closed instead.
struct Send {
    LinkId to;
    wire::MessageType type;
    Buffer body;
};
/// A session ends at once; the tenure is told by closed().
struct Close {
    LinkId session;
};
/// A command is offered to the journal; committed() answers with the same token.
struct Propose {
    std::uint64_t token;
    Buffer command;
    bool urgent;  ///< A promotion, or what leads to one: may use the reserve of a full disk.
};
/// It is to be made certain that the tenure still lasts; confirmed() answers with the same token.
struct Confirm {
    std::uint64_t token;
};

/// The part of a journaled service that exists only at its active copy, and only for one epoch.
///
/// A tenure turns what happens into commands for the service's State, and what the State decided
/// into messages to its sessions. It is pure: events and the time in, effects out. It is created at
/// the promotion and destroyed at the end of the role, so that nothing of an earlier tenure can get
/// into a later one. What is answered after its end is not told to the next one.
///
/// Sessions are connections; each is numbered by its LinkId. In order:
///
/// - start(): the first call. `random` is for what the tenure has to make up.
/// - welcome(): whether a peer may have a session, and what it is told; opened() follows.
/// - received(): a message of a session. An error ends the session: its peer does not speak the
///   protocol.
/// - closed(): a session has ended.
/// - committed(), confirmed(): the answers to Propose and Confirm.
/// - tick(): the time has come that next_deadline() said. That is asked after start() and after
///   each tick(), so it may not be later than the tenure can wait, whatever happens meanwhile.
/// - retire(): the last call. The effects but Send and Close are not carried out any more. After
///   it, every session ends.
///
/// Effect is a variant of the effects above and of those that only this kind of service has.
/// Applied is what the tenure wants to know of the reply of a command.
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
