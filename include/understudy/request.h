#pragma once

#include <cstdint>

#include "understudy/types.h"

namespace understudy {

using SessionId = Strong<struct SessionTag>;  ///< Given by the service, never twice; 0: none.
using RequestNo =
    Strong<struct RequestTag>;  ///< Chosen by the client, from 1, unique within its session.

/// Identifies a command, so that it is carried out once however often it is sent.
///
/// A client opens a session and numbers its requests. It sends a request again under the same
/// number until it has an answer, from this member or from the one that is active by then. It keeps
/// the session as long as it lives. Numbers may be used in any order, and several at once.
struct Request {
    SessionId session;
    RequestNo number;
    /// The client has the answers to all numbers up to this one, so they need not be kept. 0:
    /// unknown.
    RequestNo answered = {};
};

/// The outcome of a request.
enum class RequestFate : std::uint8_t {
    applied,      ///< It was applied, once, and its reply is known.
    not_applied,  ///< It was not applied and never will be, even if it still arrives.
    unknown,      ///< Its reply is no longer kept. It may have been applied, once.
};

}  // namespace understudy
