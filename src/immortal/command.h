#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "immortal/message.h"

namespace understudy::immortal {

// The commands in an immortal's journal. Byte layout: docs/formats/immortal.md, "Commands".

/// The first command of all, once: it identifies this instance of the service.
struct StartCommand {
    std::uint64_t instance = 0;  ///< Random. A service that is created again has another one.
    std::uint64_t seed = 0;      ///< For all its random values.
    std::uint64_t wall_ms = 0;
    std::uint32_t version = 0;  ///< Of the code.
};
/// A batch of another immortal's stream, or of a client's.
struct ReceiveCommand {
    std::string_view source = {};
    std::uint64_t instance = 0;  ///< Of the source.
    std::uint64_t wall_ms = 0;
    Batch batch = {};
};
/// A call from outside.
struct ImpulseCommand {
    std::uint64_t wall_ms = 0;
    std::string_view name = {};
    Bytes arguments = {};
};
/// Messages that peers have in their journals.
struct ConfirmCommand {
    struct Row {
        std::string_view peer = {};
        std::uint64_t instance = 0;
        MessageNo upto = {};
    };
    std::vector<Row> rows = {};
};
/// These timers are due.
struct FireCommand {
    std::uint64_t wall_ms = 0;
    std::vector<std::uint64_t> timers = {};
};
/// Switches to the code of this version from here on. Has no effect if the version is not higher.
struct UpgradeCommand {
    std::uint64_t wall_ms = 0;
    std::uint32_t version = 0;
};
/// A peer, or a client's session, has ended: everything that is kept for it is dropped.
struct ForgetCommand {
    std::string_view peer = {};
};

/// The members are views into the entry.
using AnyCommand = std::variant<StartCommand, ReceiveCommand, ImpulseCommand, ConfirmCommand,
                                FireCommand, UpgradeCommand, ForgetCommand>;

[[nodiscard]] Buffer encode(const AnyCommand& command);
/// Errors: corrupt (none).
[[nodiscard]] Result<AnyCommand> decode_command(Bytes body);

}  // namespace understudy::immortal
