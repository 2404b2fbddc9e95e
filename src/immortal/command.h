#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "immortal/message.h"

namespace understudy::immortal {

// What an immortal's journal holds. Byte layout: docs/formats/immortal.md, "Commands".

/// First of all, once: which instance of the service this is.
struct StartCommand {
    std::uint64_t instance = 0;  ///< Random. A service that is made anew is another one.
    std::uint64_t seed = 0;      ///< Of all its random values.
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
/// What others have in their journals.
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
/// From here on the code of this version acts. Not higher than the one before: nothing happens.
struct UpgradeCommand {
    std::uint64_t wall_ms = 0;
    std::uint32_t version = 0;
};
/// A peer has ended, or a client's session: what is kept for it is given up.
struct ForgetCommand {
    std::string_view peer = {};
};

/// Views into the entry.
using AnyCommand = std::variant<StartCommand, ReceiveCommand, ImpulseCommand, ConfirmCommand,
                                FireCommand, UpgradeCommand, ForgetCommand>;

[[nodiscard]] Buffer encode(const AnyCommand& command);
/// Errors: corrupt (none).
[[nodiscard]] Result<AnyCommand> decode_command(Bytes body);

}  // namespace understudy::immortal
