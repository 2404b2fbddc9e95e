#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "immortal/input.h"

namespace understudy::immortal {

// The messages between an application process and its coordinator. A frame is little-endian:
//
//     length u32  of what follows: type and body
//     type   u8   FrameType
//     body
//
// Byte layout: docs/protocols/coordinator.md.

inline constexpr std::uint32_t coordinator_magic = 0x50415355;  ///< On the wire "USAP".
inline constexpr std::uint16_t coordinator_protocol = 1;
inline constexpr std::size_t frame_size_max = 2 * MiB;        ///< The highest value of `length`.
inline constexpr std::size_t hello_frame_size_max = 4 * KiB;  ///< The same for the first frame.
inline constexpr std::size_t image_piece_max = 1 * MiB;
inline constexpr std::size_t frame_text_max = 0xffff;

/// The numbers are wire format: never reuse, never renumber.
enum class FrameType : std::uint8_t {
    // From the coordinator.
    welcome = 1,
    restore = 2,
    perform = 3,
    role = 4,
    take_image = 5,
    done = 6,
    end = 7,
    // From the application.
    hello = 65,
    output = 66,
    performed = 67,
    image = 68,
    impulse = 69,
    broken = 70,
    restored = 71,
    upgrade = 72,
};

enum class CoordinatorMode : std::uint8_t {
    live = 1,
    /// A replay of the past: the application's outputs have no effect.
    replay = 2,
};

// Views into the frame.

struct HelloFrame {
    std::uint16_t protocol = coordinator_protocol;
    std::string_view service = {};             ///< Empty: any service that the coordinator runs.
    std::string_view application = {};         ///< The application's own name, for logs.
    std::vector<std::uint32_t> versions = {};  ///< Versions of its code, ascending.
};
struct WelcomeFrame {
    std::uint16_t protocol = coordinator_protocol;
    CoordinatorMode mode = CoordinatorMode::live;
    std::uint32_t version = 0;  ///< The version that is wanted; 0: the one in the journal.
    std::string_view service = {};
    std::string_view member = {};
};
struct RestoreFrame {
    bool first = false;
    bool last = false;
    std::uint32_t version = 0;
    Position position = {};
    Bytes piece = {};
};
struct RoleFrame {
    Role role = Role::joining;
    Epoch epoch = {};
};
struct TakeImageFrame {
    Position at = {};
};
/// The answer to an impulse or an upgrade.
struct DoneFrame {
    std::uint64_t id = 0;
    std::optional<Error> error = {};
};
struct EndFrame {
    Error reason;
};
struct PerformedFrame {
    Position upto;
};
struct ImageFrame {
    Position at = {};
    bool last = false;
    Bytes piece = {};
};
struct ImpulseFrame {
    std::uint64_t id = 0;
    std::string_view name = {};
    Bytes arguments = {};
};
struct BrokenFrame {
    Error reason;
};
struct RestoredFrame {
    Position position = {};
};
struct UpgradeFrame {
    std::uint64_t id = 0;
    std::uint32_t version = 0;
};

using AnyFrame = std::variant<WelcomeFrame, RestoreFrame, Input, RoleFrame, TakeImageFrame,
                              DoneFrame, EndFrame, HelloFrame, Output, PerformedFrame, ImageFrame,
                              ImpulseFrame, BrokenFrame, RestoredFrame, UpgradeFrame>;

/// Appends the frame. Requires: it is within the bounds above. Longer error texts are cut.
void put_frame(const AnyFrame& frame, Buffer& out);
[[nodiscard]] Buffer encode_frame(const AnyFrame& frame);

/// Errors: corrupt (none): the frame is not valid.
[[nodiscard]] Result<AnyFrame> decode_frame(std::uint8_t type, Bytes body);

/// Finds frames in a stream of bytes.
class FrameStream {
public:
    struct Raw {
        std::uint8_t type = 0;
        Bytes body;  ///< Lives until the next call.
    };

    void received(Bytes data);
    /// The next whole frame; nullopt if bytes are missing. `size_max` is the highest permitted
    /// length.
    /// Errors: limit_exceeded, corrupt (none): the stream cannot be used any more.
    [[nodiscard]] Result<std::optional<Raw>> next(std::size_t size_max);
    [[nodiscard]] std::size_t waiting_bytes() const { return buffer_.size() - used_; }

private:
    Buffer buffer_;
    std::size_t used_ = 0;
};

}  // namespace understudy::immortal
