#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "runtime/runtime.h"
#include "understudy/request.h"
#include "understudy/result.h"

namespace understudy::hosting {

/// The longest command that a client may send. Together with its request it fits into an entry.
inline constexpr std::size_t request_bytes_max = 1 * MiB;

/// The first message of a client. Byte layout of all: docs/protocols/requests.md.
struct RequestHello {
    std::string service = {};  ///< The wanted service.
    SessionId session = {};    ///< 0: a new one.
    Epoch epoch = {};          ///< The highest that the client knows.
    friend bool operator==(const RequestHello&, const RequestHello&) = default;
};

/// The answer of the active member.
struct RequestWelcome {
    std::string member = {};
    Epoch epoch = {};
    SessionId session = {};
    friend bool operator==(const RequestWelcome&, const RequestWelcome&) = default;
};

/// The answer of any other member. The connection ends after it.
struct RequestElsewhere {
    std::string member = {};  ///< The active one; empty: not known.
    Epoch epoch = {};
    Address address = {};  ///< Port 0: not known.
    friend bool operator==(const RequestElsewhere&, const RequestElsewhere&) = default;
};

using RequestGreeting = std::variant<RequestWelcome, RequestElsewhere>;

/// A command and its number, which stays the same when it is sent again. `answered` is as
/// Request::answered.
struct SubmitMessage {
    RequestNo number;
    RequestNo answered;
    Bytes command;
};

/// The answer to the request of one number, or to a question about its outcome.
struct AnswerMessage {
    RequestNo number;
    std::optional<Error> error = {};  ///< If set, there is no reply.
    RequestFate fate = RequestFate::applied;
    Bytes reply = {};
};

[[nodiscard]] Buffer encode(const RequestHello& hello);
[[nodiscard]] Buffer encode(const RequestGreeting& greeting);
/// What precedes the command.
[[nodiscard]] Buffer encode_head(const SubmitMessage& message);
/// What precedes the reply.
[[nodiscard]] Buffer encode_head(const AnswerMessage& message);
[[nodiscard]] Buffer encode_outcome(RequestNo number);

/// Errors of all: corrupt; refused: another protocol, or a version that is not supported here
/// (none).
[[nodiscard]] Result<RequestHello> decode_request_hello(Bytes bytes);
[[nodiscard]] Result<RequestGreeting> decode_request_greeting(Bytes bytes);
[[nodiscard]] Result<SubmitMessage> decode_submit(Bytes bytes);
[[nodiscard]] Result<AnswerMessage> decode_answer(Bytes bytes);
[[nodiscard]] Result<RequestNo> decode_outcome(Bytes bytes);

}  // namespace understudy::hosting
