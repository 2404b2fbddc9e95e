#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "runtime/runtime.h"
#include "understudy/request.h"
#include "understudy/result.h"

namespace understudy::hosting {

/// The longest command that a client may send. With everything around it, it fits an entry.
inline constexpr std::size_t request_bytes_max = 1 * MiB;

/// The first message of a client. Byte layout of all: docs/protocols/requests.md.
struct RequestHello {
    std::string service = {};  ///< Wanted.
    SessionId session = {};    ///< 0: a new one.
    Epoch epoch = {};          ///< The highest that the client has heard of.
    friend bool operator==(const RequestHello&, const RequestHello&) = default;
};

/// The answer of the active member.
struct RequestWelcome {
    std::string member = {};
    Epoch epoch = {};
    SessionId session = {};
    friend bool operator==(const RequestWelcome&, const RequestWelcome&) = default;
};

/// The answer of any other member: the connection ends after it.
struct RequestElsewhere {
    std::string member = {};  ///< The active one; empty: not known.
    Epoch epoch = {};
    Address address = {};  ///< Port 0: not known.
    friend bool operator==(const RequestElsewhere&, const RequestElsewhere&) = default;
};

using RequestGreeting = std::variant<RequestWelcome, RequestElsewhere>;

/// A command under the number that it keeps. `answered` is as Request::answered.
struct SubmitMessage {
    RequestNo number;
    RequestNo answered;
    Bytes command;
};

/// The answer to one number. Of an outcome: what became of it.
struct AnswerMessage {
    RequestNo number;
    std::optional<Error> error = {};  ///< Then there is no reply.
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

/// Errors, of all: corrupt; refused: another protocol, or a version of it that is not spoken here
/// (none).
[[nodiscard]] Result<RequestHello> decode_request_hello(Bytes bytes);
[[nodiscard]] Result<RequestGreeting> decode_request_greeting(Bytes bytes);
[[nodiscard]] Result<SubmitMessage> decode_submit(Bytes bytes);
[[nodiscard]] Result<AnswerMessage> decode_answer(Bytes bytes);
[[nodiscard]] Result<RequestNo> decode_outcome(Bytes bytes);

}  // namespace understudy::hosting
