#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/types.h"
#include "understudy/request.h"

namespace understudy::replica {

/// What one item of a pack asks for. The numbers are file format: never reuse, never renumber.
enum class ItemKind : std::uint8_t {
    command = 0,        ///< Carried out each time it is there.
    request = 1,        ///< Carried out once.
    open_session = 2,
    close_session = 3,
    abandon = 4,        ///< The request is not to be carried out any more.
};

/// `body` lives as long as the pack that it was read from.
struct Item {
    ItemKind kind = ItemKind::command;
    Request request = {};  ///< Of a command nothing, of a session only its id.
    Bytes body = {};       ///< Of a command or a request.
};

/// Times of commands are below it: more would not fit a Duration.
inline constexpr std::uint64_t time_ms_max = std::uint64_t{1} << 43;

/// What items are encoded in at most, beside their bodies.
inline constexpr std::size_t item_overhead_max = 40;

/// Adds `item` to the pack `out`; an empty one begins with `time`.
/// Source: docs/formats/session.md, section "Packs".
void encode(const Item& item, Duration time, Buffer& out);

/// The items of a pack, in order.
class PackReader {
public:
    explicit PackReader(Bytes pack);

    /// Log time when it was appended.
    [[nodiscard]] Duration time() const { return time_; }
    /// Nothing at the end, and at what is no item.
    [[nodiscard]] std::optional<Item> next();
    /// All that was there has been read, and was right.
    [[nodiscard]] bool done() const { return !failed_ && reader_.done(); }

private:
    ByteReader reader_;
    Duration time_{};
    bool failed_ = false;
};

}  // namespace understudy::replica
