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

/// A checkpoint on its way from another node into a file of ours.
///
/// It asks, takes chunks in order, acknowledges each when it is written, and asks again from where
/// it stands when nothing has come for a while. Destroying it removes the unfinished file.
///
/// Thread: loop only.
class Incoming {
public:
    static constexpr Duration retry_interval = 1s;
    static constexpr Duration patience = 60s;  ///< Without a chunk; then it is given up.

    /// The file is whole and durable. Errors: unavailable (none): it is no longer there, or nothing
    /// came; corrupt (none); disk_failed, no_space.
    using Done = std::function<void(Result<consensus::SnapshotRef>)>;

    struct Source {
        ServerId from;
        /// What is wanted; nullopt: whichever is the newest there ...
        std::optional<consensus::SnapshotRef> snapshot;
        Index beyond = {};  ///< ... if it is newer than this.
    };

    Incoming(Runtime& runtime, Surroundings& surroundings, GroupId group, std::string directory,
             Source source, Done done);
    ~Incoming();
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;

    [[nodiscard]] ServerId from() const { return source_.from; }
    /// Something has come.
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
