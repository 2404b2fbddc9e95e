#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/types.h"
#include "understudy/request.h"

namespace understudy::replica {

/// What one item of a pack asks for. The numbers are part of the file format: they never change.
enum class ItemKind : std::uint8_t {
    command = 0,  ///< Carried out each time it is in the journal.
    request = 1,  ///< Carried out once.
    open_session = 2,
    close_session = 3,
    abandon = 4,  ///< From now on the request must not be carried out.
};

/// One item of a pack. `body` lives as long as the pack that it was read from.
struct Item {
    ItemKind kind = ItemKind::command;
    Request request = {};  ///< Empty for a command. For a session only its id.
    Bytes body = {};       ///< For a command or a request.
};

/// Log times are below this bound: a longer one would not fit a Duration.
inline constexpr std::uint64_t time_ms_max = std::uint64_t{1} << 43;

/// An encoded item has at most this many bytes without its body.
inline constexpr std::size_t item_overhead_max = 40;

/// Appends `item` to the pack `out`. If `out` is empty, the pack begins with `time`.
/// Source: docs/formats/session.md, section "Packs".
void encode(const Item& item, Duration time, Buffer& out);

/// The items of a pack, in order.
class PackReader {
public:
    explicit PackReader(Bytes pack);

    /// The log time at which the pack was appended.
    [[nodiscard]] Duration time() const { return time_; }
    /// The next item. nullopt at the end, and where the bytes are no item.
    [[nodiscard]] std::optional<Item> next();
    /// The whole pack has been read, and all of it was valid.
    [[nodiscard]] bool done() const { return !failed_ && reader_.done(); }

private:
    ByteReader reader_;
    Duration time_{};
    bool failed_ = false;
};

}  // namespace understudy::replica
