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
/// It is for a registry that runs alone and for a service that has only this copy. It survives the
/// end of the process and a power cut, but not the loss of the disk.
///
/// When not to use it: for a service that another machine must take over. If another process has
/// the directory locked, the opening fails at once and does not wait.
class LocalJournal final : public Journal {
public:
    struct Options {
        std::string directory;                       ///< Made if absent, mode 0700.
        std::uint64_t segment_size_bytes = 1 * MiB;  ///< 64 KiB to 4 GiB, in steps of 4 KiB.
        std::uint64_t queue_bytes_max = 32 * MiB;    ///< Waiting for the disk, per urgency.
        Duration reserve_retry_interval = 1s;        ///< After the disk was full.
        /// After so long at rest, the journal writes a mark: the last entry is durable.
        Duration mark_after = 1s;
        /// Entries before the checkpoints may still be read. A segment is removed only if it also
        /// lies before keep_from().
        bool keeps_segments = false;
        /// The identities of the directory and of those around it. They are checked, and written
        /// into a directory that has none.
        std::vector<DirectoryWanted> identities = {};
    };

    /// Locks the directory, gives `observer` everything in the journal, and begins a new epoch: one
    /// above the highest before, durable before anything is served. Then it calls `opened` once,
    /// never within this call. A torn end that was never acknowledged is cut; damage ends the
    /// opening with an error.
    ///
    /// The observer hears that this member is active before the opening ends.
    ///
    /// If the directory, its lock or its identity is removed or replaced, the journal ends:
    /// observer.failed() with `no_such_file`. This is noticed at once where the kernel reports it.
    /// Otherwise it is noticed by a flush that comes at least a second after the last check, or by
    /// look().
    ///
    /// Requires: `observer` outlives the opening and the journal.
    /// Errors: bad_config (none: for example, the directory is of another kind), in_use (none),
    ///         corrupt (none: says which entry), no_space (none), disk_failed (unknown), or what
    ///         observer.restore() returned.
    [[nodiscard]] static std::unique_ptr<Opening> open(Runtime& runtime, Log& log, Options options,
                                                       Observer& observer, Opened opened);
    ~LocalJournal() override;

    void append(std::vector<Draft> drafts, Urgency urgency, Appended done) override;
    /// Would an append of `bytes` encoded bytes be accepted now? If so, append_admitted() in the
    /// same turn is not refused for lack of space while the journal serves, and such appends keep
    /// their order whatever their urgency. Errors: as append().
    [[nodiscard]] Result<void> admit(std::uint64_t bytes, Urgency urgency);
    /// Requires: the drafts fit into append_bytes_max(). Errors, to `done`: closed (none),
    /// disk_failed (unknown), no_space (none: the journal was closed while it waited for space).
    void append_admitted(std::vector<Draft> drafts, Appended done);
    /// Why ordinary appends are refused. Requires: space() is not `ok`.
    [[nodiscard]] Error no_space() const;

    /// Segments from `generation` on are needed, whatever checkpoints there are. The value never
    /// falls. It takes effect at the next checkpoint. Requires: Options::keeps_segments.
    void keep_from(std::uint64_t generation);
    [[nodiscard]] std::vector<std::uint64_t> segments() const;  ///< Generations, oldest first.

    void look() override;

    /// Certain without a disk call: the directory is locked, so no other process has the journal
    /// open.
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
