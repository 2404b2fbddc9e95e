#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "immortal/message.h"
#include "understudy/types.h"

namespace understudy::node {

using immortal::MessageNo;

/// The caller's first message. Byte layout: docs/protocols/immortals.md, "Handshake".
struct ImmortalHello {
    std::string service = {};          ///< The wanted service.
    std::string name = {};             ///< Of the calling service, or of a client's session.
    std::string member = {};           ///< The copy; empty: a client.
    std::uint64_t instance = 0;        ///< Of the calling service; for a client its session.
    Epoch epoch = {};                  ///< Clients: 0.
    std::uint64_t known = 0;   ///< The instance of the wanted service that it knows; 0: none.
    MessageNo received = {};   ///< It has the stream of the wanted service up to here.
    MessageNo confirmed = {};  ///< Its own stream begins after this message.
    bool resuming = false;     ///< A client that does not know the position of its session.
    friend bool operator==(const ImmortalHello&, const ImmortalHello&) = default;
};

/// The answer of the active member.
struct ImmortalWelcome {
    std::string member = {};
    Epoch epoch = {};
    std::uint64_t instance = 0;
    MessageNo received = {};   ///< It has the caller's stream up to here.
    MessageNo confirmed = {};  ///< Its own stream for the caller begins after this message,
    MessageNo made = {};       ///< and ends here for now.
    friend bool operator==(const ImmortalWelcome&, const ImmortalWelcome&) = default;
};

/// The answer of a member that is not active. The link ends after it.
struct ImmortalElsewhere {
    std::string member = {};  ///< The active member; empty: not known.
    Epoch epoch = {};
    Address address = {};  ///< Port 0: not known.
    friend bool operator==(const ImmortalElsewhere&, const ImmortalElsewhere&) = default;
};

using ImmortalAnswer = std::variant<ImmortalWelcome, ImmortalElsewhere>;

/// The body of a `calls_durable` message.
struct CallsDurable {
    MessageNo upto = {};
    bool over = false;  ///< The session ends; nothing more is wanted.
    bool asks = false;  ///< Asks for the same message about the sender's stream.
    friend bool operator==(const CallsDurable&, const CallsDurable&) = default;
};

[[nodiscard]] Buffer encode(const ImmortalHello& hello);
[[nodiscard]] Buffer encode(const ImmortalAnswer& answer);
[[nodiscard]] Buffer encode(const CallsDurable& durable);

/// Errors of all: corrupt (none); refused (none): another protocol, or a version that is not
/// supported here.
[[nodiscard]] Result<ImmortalHello> decode_hello(Bytes bytes);
[[nodiscard]] Result<ImmortalAnswer> decode_answer(Bytes bytes);
[[nodiscard]] Result<CallsDurable> decode_durable(Bytes bytes);

}  // namespace understudy::node
