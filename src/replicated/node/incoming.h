#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/lifetime.h"
#include "consensus/core.h"
#include "journal/format/checkpoint_file.h"
#include "replicated/messages.h"
#include "replicated/surroundings.h"
#include "runtime/runtime.h"

namespace understudy::replicated {

/// A checkpoint that is fetched from another node into a local file.
///
/// It asks for the checkpoint, takes chunks in order, and acknowledges each when it is written. If
/// nothing comes for a while, it asks again from the current offset. Destroying it removes the
/// unfinished file.
///
/// Thread: loop only.
class Incoming {
public:
    static constexpr Duration retry_interval = 1s;
    static constexpr Duration patience = 60s;  ///< After this time without a chunk it is given up.

    /// The file is complete and durable. Errors: unavailable (none): the checkpoint does not exist
    /// there any more, or nothing came; corrupt (none); disk_failed, no_space.
    using Done = std::function<void(Result<consensus::SnapshotRef>)>;

    struct Source {
        ServerId from;
        /// The wanted checkpoint; nullopt: the newest one there ...
        std::optional<consensus::SnapshotRef> snapshot;
        Index beyond = {};  ///< ... if it is newer than this.
    };

    Incoming(Runtime& runtime, Surroundings& surroundings, GroupId group, std::string directory,
             Source source, Done done);
    ~Incoming();
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;

    [[nodiscard]] ServerId from() const { return source_.from; }
    /// A chunk has been accepted.
    [[nodiscard]] bool begun() const { return file_ != nullptr; }
    void chunk(const Chunk& chunk);
    /// Its node is connected again.
    void resume() { ask(); }

private:
    void ask();
    void arm();
    Result<void> check(const Chunk& chunk) const;
    void write(const Chunk& chunk);
    void end(Result<consensus::SnapshotRef> result);

    Runtime& runtime_;
    Surroundings& surroundings_;
    const GroupId group_;
    const std::string directory_;
    Source source_;
    Done done_;
    std::shared_ptr<journal::CheckpointFile> file_;
    std::uint64_t expected_ = 0;  ///< Where the next chunk begins.
    std::uint32_t checksum_ = 0;
    bool last_seen_ = false;
    bool ended_ = false;
    TimePoint heard_at_;
    std::unique_ptr<Timer> timer_;
    Lifetime life_;
};

}  // namespace understudy::replicated
