#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "journal/format/directory_identity.h"
#include "journal/journal.h"
#include "runtime/runtime.h"

namespace understudy::journal {

/// A journal in a directory of this machine, for one process at a time.
///
/// Who has one: a registry that runs alone, a service whose only copy is this one. It survives the
/// process and the power, not the disk.
///
/// When not to use it: for a service that another machine must take over. A second process that
/// finds the directory locked is told so, and does not wait.
class LocalJournal final : public Journal {
public:
    struct Options {
        std::string directory;                       ///< Made if absent, mode 0700.
        std::uint64_t segment_size_bytes = 1 * MiB;  ///< 64 KiB to 4 GiB, in steps of 4 KiB.
        std::uint64_t queue_bytes_max = 32 * MiB;    ///< Waiting for the disk, per urgency.
        Duration reserve_retry_interval = 1s;        ///< After the disk was full.
        Duration mark_after = 1s;  ///< Idle time, then the last entry is vouched for.
        /// What lies before the checkpoints may still be read: segments are removed only up to
        /// keep_from() besides.
        bool keeps_segments = false;
        /// What the directory is, and those around it: checked, and written down in a new one.
        std::vector<DirectoryWanted> identities = {};
    };

    /// Locks the directory, tells `observer` all there is, begins a new epoch (one above the
    /// highest ever, durable before anything is served), then calls `opened` once, never within
    /// this call. A torn end of what was never acknowledged is cut; damage ends the opening.
    ///
    /// The observer hears that it is active before the opening ends.
    ///
    /// A directory that is removed or replaced, or whose lock or identity is, ends the journal:
    /// observer.failed() with `no_such_file`. It is noticed at once where the kernel tells, else
    /// with a flush a second later, or by look().
    ///
    /// Requires: `observer` outlives the opening and the journal.
    /// Errors: bad_config (none: among others, the directory is something else), in_use (none),
    ///         corrupt (none: says which entry), no_space (none), disk_failed (unknown), or what
    ///         observer.restore() returned.
    [[nodiscard]] static std::unique_ptr<Opening> open(Runtime& runtime, Log& log, Options options,
                                                       Observer& observer, Opened opened);
    ~LocalJournal() override;

    void append(std::vector<Draft> drafts, Urgency urgency, Appended done) override;
    /// Would an append of `bytes` encoded bytes be taken now? If so, append_admitted() in the same
    /// turn is never refused for want of space, and appends of that kind keep their order whatever
    /// their urgency. Errors: as append().
    [[nodiscard]] Result<void> admit(std::uint64_t bytes, Urgency urgency);
    /// Requires: the drafts fit into append_bytes_max(). Errors, to `done`: closed (none),
    /// disk_failed (unknown), no_space (none: it was closed while it waited for space).
    void append_admitted(std::vector<Draft> drafts, Appended done);
    /// Why ordinary appends are refused. Requires: space() is not `ok`.
    [[nodiscard]] Error no_space() const;

    /// Segments from `generation` on are needed, whatever the checkpoints. Only grows; counts from
    /// the next checkpoint on. Requires: Options::keeps_segments.
    void keep_from(std::uint64_t generation);
    [[nodiscard]] std::vector<std::uint64_t> segments() const;  ///< Generations, oldest first.

    void look() override;

    /// Certain at once: nobody else has a journal whose directory is locked.
    void confirm(Done done) override;
    [[nodiscard]] Result<std::unique_ptr<CheckpointWriter>> begin_checkpoint() override;
    void close(std::function<void()> done) override;

    [[nodiscard]] const Standing& standing() const override;
    [[nodiscard]] Index committed() const override;
    [[nodiscard]] Index checkpoint() const override;
    [[nodiscard]] Space space() const override;

private:
    class Core;
    class Start;
    class Checkpointing;

    explicit LocalJournal(std::shared_ptr<Core> core);

    std::shared_ptr<Core> core_;
};

}  // namespace understudy::journal
