#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/types.h"
#include "journal/node_log/node_log.h"

namespace understudy::journal {

/// What a record of the node's log says. The numbers are file format.
enum class RecordWhat : std::uint8_t {
    identity = 1,  ///< `number` is the log's identity. The first record of all.
    state = 2,     ///< `body` is the group's state from now on.
    trim = 3,      ///< Entries before `index` are gone.
    cut = 4,       ///< Entries from `index` on are void.
    restart = 5,   ///< All entries are void; the next has `index`.
    entry = 6,     ///< The group's next entry, with its body.
    copy = 7,      ///< An existing entry, written again: its place is here now.
    forget = 8,    ///< The group is gone.
    place = 9,     ///< The group's next entry, and its place. Only in checkpoints.
};

/// One record: what happened to one group.
struct NodeRecord {
    RecordWhat what = RecordWhat::identity;
    GroupId group{};  ///< In all records but identity.
    Index index{};    ///< In trim, cut, restart, entry, copy, place.
    Epoch term{};     ///< In entry, copy, place; and so are kind and checksum.
    std::uint8_t kind = 0;
    std::uint32_t checksum = 0;    ///< entry_checksum().
    std::uint64_t number = 0;      ///< In identity.
    std::uint32_t segment = 0;     ///< In place: lower half of a generation,
    std::uint32_t offset = 0;      ///< and where in that segment the body begins.
    std::uint32_t body_bytes = 0;  ///< In place.
    Bytes body{};                  ///< In state, entry, copy. A view.
};

/// The maximum length of a record with a body, without the body.
inline constexpr std::size_t record_overhead_max = 1 + 10 + 10 + 10 + 1 + 4 + 5;

inline constexpr std::size_t group_state_bytes_max = 8 * KiB;

/// Connects a body with its entry. If its place was reused for another entry, the bytes there do
/// not match this checksum.
[[nodiscard]] std::uint32_t entry_checksum(GroupId group, Index index, Epoch term,
                                           std::uint8_t kind, Bytes body);

/// Appends `record` to `out`; returns where in `out` its body begins.
/// Source: docs/formats/node-log.md, section "Records".
std::size_t encode(const NodeRecord& record, Buffer& out);

/// The record at the start of `input`, or nullopt if there is none. Its body is a view into
/// `input`.
[[nodiscard]] std::optional<NodeRecord> decode_record(ByteReader& input);

/// A checkpoint of a node's log is a sequence of blocks of records. Each block comes after its
/// length.
inline constexpr std::uint32_t snapshot_block_bytes_max = 1 * MiB;
inline constexpr std::size_t snapshot_block_header_bytes = sizeof(std::uint32_t);

}  // namespace understudy::journal
