#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consensus/core.h"
#include "journal/node_log/node_log.h"
#include "replicated/node/members.h"
#include "runtime/host.h"

namespace understudy::replicated {

// The messages between nodes. The sender is known from the connection: its handshake named the node
// and its disk. They determine the server that the node is in each group.
// Source: docs/protocols/replication.md, section "Messages".

/// The handshake, in both directions.
struct Hello {
    std::string platform;
    std::string name;
    Address address;             ///< The address at which it can be dialled.
    std::uint64_t identity = 0;  ///< Of its log.
    ProcessId process;
    friend bool operator==(const Hello&, const Hello&) = default;
};
[[nodiscard]] Buffer encode(const Hello& hello);
/// Errors: corrupt (none); refused (none): not a node of this product, or of another version.
[[nodiscard]] Result<Hello> decode_hello(Bytes bytes);

/// The sender has no data of this group.
struct Found {
    GroupId group;
    std::string service;
};
/// The answer to Found. Without members: the group exists; begin empty and ask to join.
struct Founded {
    GroupId group;
    std::optional<Members> members;
};
struct Join {
    GroupId group;
    Member member;
};
/// Asks for a checkpoint, from `offset` of the state on. Index 0: the newest one, if it is newer
/// than `beyond`.
struct Fetch {
    GroupId group;
    Index index;
    std::uint64_t offset = 0;
    Index beyond = {};
};
struct Chunk {
    enum class Place : std::uint8_t { within = 0, last = 1, gone = 2 };
    GroupId group;
    Index index;
    std::uint64_t offset = 0;
    Place place = Place::within;  ///< gone: this checkpoint does not exist here any more.
    std::uint32_t checksum = 0;   ///< crc32c of the state up to the end of this chunk.
    std::optional<consensus::SnapshotRef> snapshot;  ///< With the chunk at offset 0.
    Bytes bytes;
};
struct ChunkTaken {
    GroupId group;
    Index index;
    std::uint64_t offset = 0;  ///< All bytes before it are written.
};

[[nodiscard]] Buffer encode(const Found& message);
[[nodiscard]] Buffer encode(const Founded& message);
[[nodiscard]] Buffer encode(const Join& message);
[[nodiscard]] Buffer encode(const Fetch& message);
/// Everything but its bytes, which follow.
[[nodiscard]] Buffer encode_head(const Chunk& message);
[[nodiscard]] Buffer encode(const ChunkTaken& message);
// Errors of all: corrupt (none).
[[nodiscard]] Result<Found> decode_found(Bytes body);
[[nodiscard]] Result<Founded> decode_founded(Bytes body);
[[nodiscard]] Result<Join> decode_join(Bytes body);
[[nodiscard]] Result<Fetch> decode_fetch(Bytes body);
[[nodiscard]] Result<Chunk> decode_chunk(Bytes body);
[[nodiscard]] Result<ChunkTaken> decode_chunk_taken(Bytes body);

/// Encodes messages of the consensus into parts for Link::send(), without copying bodies.
class ConsensusEncoder {
public:
    // The results are valid until the next call, and as long as the entries exist.

    /// Requires: `message` is no append request with entries.
    [[nodiscard]] std::span<const Bytes> encode(GroupId group, const consensus::Message& message);
    /// `entries` follow prev_index. The fields count and entries of `request` are ignored.
    /// Requires: entries is not empty.
    [[nodiscard]] std::span<const Bytes> encode(GroupId group,
                                                const consensus::AppendRequest& request,
                                                std::span<const journal::GroupEntry> entries);

private:
    Buffer heads_;
    std::vector<Bytes> parts_;
};

/// The maximum size of an entry in a message without its body.
inline constexpr std::size_t entry_overhead_bytes = 8 + 1 + 5;

struct ConsensusMessage {
    GroupId group;
    consensus::Message message;
    std::vector<bool> urgent;  ///< Of each entry.
};
/// The bodies of entries are views of one copy of `body`, which is made if there are entries.
/// Errors: corrupt (none).
[[nodiscard]] Result<ConsensusMessage> decode_consensus(Bytes body);

}  // namespace understudy::replicated
