#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/lifetime.h"
#include "consensus/core.h"
#include "journal/format/checkpoint_file.h"
#include "replicated/messages.h"
#include "runtime/runtime.h"

namespace understudy::replicated {

/// Sends checkpoints to one peer, in addition to the messages of the consensus.
///
/// All of them together have only as many bytes on their way as take a few milliseconds: a chunk is
/// sent when the peer has written an earlier one. Groups take turns.
///
/// Thread: loop only.
/// Bounds: in_flight_bytes_max bytes on their way, and one slice of a file in memory per group.
class Shipper {
public:
    static constexpr std::size_t chunk_bytes = 64 * KiB;
    /// After this time without an acknowledgement a stream is given up.
    static constexpr Duration patience = 60s;

    /// Where a checkpoint is found.
    struct Source {
        std::string directory;
        Index index;
        std::optional<consensus::SnapshotRef> snapshot;  ///< Set if it is the newest one.
    };
    using Send = std::function<void(const Chunk&)>;

    Shipper(Runtime& runtime, std::uint64_t in_flight_bytes_max, Send send);
    Shipper(const Shipper&) = delete;
    Shipper& operator=(const Shipper&) = delete;

    /// Begins to send, or begins again from another offset. Without a source, tells the peer that
    /// there is no such checkpoint.
    void fetch(const Fetch& fetch, std::optional<Source> source);
    void taken(const ChunkTaken& taken);
    /// The group has ended here.
    void forget(GroupId group);

    [[nodiscard]] std::size_t streams() const { return streams_.size(); }

private:
    struct Stream {
        std::uint64_t number = 0;  ///< Distinguishes it from an earlier stream of the group.
        Source source;
        std::uint64_t from = 0;  ///< Bytes before this offset are not wanted.
        std::shared_ptr<journal::CheckpointReader> reader;
        Buffer slice;
        std::uint64_t slice_at = 0;  ///< Where it begins in the state.
        bool slice_is_last = false;
        bool reading = false;
        bool all_sent = false;
        std::uint64_t sent = 0;
        std::uint64_t acknowledged = 0;
        std::uint32_t checksum = 0;  ///< Of all before `sent`.
        TimePoint heard_at;
    };

    void open(GroupId group, Stream& stream);
    void read(GroupId group, Stream& stream);
    void slice_read(GroupId group, std::uint64_t number,
                    Result<journal::CheckpointReader::Slice> slice);
    void gone(GroupId group, Index index);
    /// Sends as many chunks as there is room for.
    void pump();
    bool send_one(GroupId group, Stream& stream);
    [[nodiscard]] std::uint64_t in_flight() const;
    Stream* find(GroupId group, std::uint64_t number);

    Runtime& runtime_;
    const std::uint64_t in_flight_bytes_max_;
    const Send send_;
    std::map<GroupId, Stream> streams_;
    GroupId turn_;  ///< The group that was served last.
    std::uint64_t last_number_ = 0;
    Lifetime life_;
};

}  // namespace understudy::replicated
