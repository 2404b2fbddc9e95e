#pragma once

#include <cstdint>

#include "understudy/types.h"

namespace understudy {

using SessionId = Strong<struct SessionTag>;  ///< Given by the service, never twice; 0: none.
using RequestNo = Strong<struct RequestTag>;  ///< Chosen by the client, from 1, within its session.

/// What makes a command one that is carried out once, however often it is sent.
///
/// A client opens a session, numbers its requests, and sends one again under the same number until
/// it has an answer: from this member, or from whoever is active by then. It keeps the session for
/// as long as it lives; numbers may be used in any order, and several at once.
struct Request {
    SessionId session;
    RequestNo number;
    /// The client has the answers to all numbers up to this one: they need not be kept. 0: not told.
    RequestNo answered = {};
};

/// What became of a request.
enum class RequestFate : std::uint8_t {
    applied,      ///< Once. Its reply is there.
    not_applied,  ///< And never will be, even if it still arrives.
    unknown,      ///< Its reply is not kept any more: it may have been applied, once.
};

}  // namespace understudy
