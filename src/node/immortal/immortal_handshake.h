#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "immortal/message.h"
#include "understudy/types.h"

namespace understudy::node {

using immortal::MessageNo;

/// What who calls says first. Byte layout: docs/protocols/immortals.md, "Handshake".
struct ImmortalHello {
    std::string service = {};          ///< Wanted.
    std::string name = {};             ///< Of the service that calls, or of a client's session.
    std::string member = {};           ///< Which copy; empty: a client.
    std::uint64_t instance = 0;   ///< Of the service that calls; of a client: its session.
    Epoch epoch = {};                  ///< Clients: 0.
    std::uint64_t known = 0;      ///< Instance that it knows of the service wanted; 0: none.
    MessageNo received = {};           ///< It has the stream of the service wanted up to here.
    MessageNo confirmed = {};          ///< Its own stream begins behind it.
    bool resuming = false;        ///< A client that does not know how far its session is.
    friend bool operator==(const ImmortalHello&, const ImmortalHello&) = default;
};

/// The answer of who is active.
struct ImmortalWelcome {
    std::string member = {};
    Epoch epoch = {};
    std::uint64_t instance = 0;
    MessageNo received = {};   ///< It has the caller's stream up to here.
    MessageNo confirmed = {};  ///< Its own for the caller begins behind it ...
    MessageNo made = {};       ///< ... and ends here for now.
    friend bool operator==(const ImmortalWelcome&, const ImmortalWelcome&) = default;
};

/// The answer of who is not: the link ends behind it.
struct ImmortalElsewhere {
    std::string member = {};  ///< Who is; empty: not known.
    Epoch epoch = {};
    Address address = {};  ///< Port 0: not known.
    friend bool operator==(const ImmortalElsewhere&, const ImmortalElsewhere&) = default;
};

using ImmortalAnswer = std::variant<ImmortalWelcome, ImmortalElsewhere>;

/// The body of a `calls_durable` message.
struct CallsDurable {
    MessageNo upto = {};
    bool over = false;  ///< The session ends: nothing more is wanted.
    bool asks = false;  ///< Say the same of mine.
    friend bool operator==(const CallsDurable&, const CallsDurable&) = default;
};

[[nodiscard]] Buffer encode(const ImmortalHello& hello);
[[nodiscard]] Buffer encode(const ImmortalAnswer& answer);
[[nodiscard]] Buffer encode(const CallsDurable& durable);

/// Errors, of all: corrupt; refused: another protocol, or a version of it that is not spoken here
/// (none).
[[nodiscard]] Result<ImmortalHello> decode_hello(Bytes bytes);
[[nodiscard]] Result<ImmortalAnswer> decode_answer(Bytes bytes);
[[nodiscard]] Result<CallsDurable> decode_durable(Bytes bytes);

}  // namespace understudy::node
