#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "journal/format/directory_identity.h"
#include "journal/journal.h"
#include "runtime/runtime.h"

namespace understudy::journal {

/// A journal in a directory that several members mount. One of them is active.
///
/// It is for a service of two or more members that share a file system: one machine, NFSv4, GFS2,
/// CephFS. The member that takes over has every acknowledged entry, whether the old owner has
/// ended, hangs or is cut off. When the old owner resumes, it acknowledges nothing more. Safety
/// does not depend on locks or clocks.
///
/// Each member opens it as a standby, follows what is committed, and may become active.
///
/// When not to use it: where the disk may be lost with the machine (use a replicated journal), or
/// for one process alone (LocalJournal needs no new segment for each tenure).
///
/// Thread: loop only.
/// Source: docs/protocols/fencing.md, docs/formats/shared-journal.md.
class SharedJournal final : public Journal {
public:
    /// What decides that this member becomes active.
    enum class Election : std::uint8_t {
        granted,     ///< A call of take_over().
        autonomous,  ///< The members themselves, by lock and progress stamp.
    };

    struct Options {
        std::string directory;  ///< Made if absent, mode 0700.
        std::string member;     ///< Other members see it as Standing::active; at most 472 bytes.
        Election election = Election::granted;
        Duration lease = 1s;            ///< How long an owner may be silent (autonomous).
        Duration poll_interval = 20ms;  ///< Of a standby that is not prompted.
        /// 64 KiB to 4 GiB, in steps of 4 KiB. The first segment of a tenure is at most 4 MiB long.
        std::uint64_t segment_size_bytes = 1 * MiB;
        std::uint64_t queue_bytes_max = 32 * MiB;    ///< Waiting for the disk, per urgency.
        Duration reserve_retry_interval = 1s;        ///< After the disk was full.
        /// After so long at rest, the active member writes a mark: the last entry is durable.
        Duration mark_after = 1s;
        /// The identities of the directory and of those around it. They are checked, and written
        /// into a directory that has none.
        std::vector<DirectoryWanted> identities = {};
        /// Where standbys connect to be prompted while this member is active. Its claim says it.
        std::optional<Address> prompts_at = {};
        /// Called at the active member when entries have become committed, with the arguments for
        /// prompt() of the standbys. Must not destroy the journal.
        std::function<void(Index committed, Epoch epoch)> on_commit = {};
        /// Called when another member or this one becomes active, or when no member is known to be
        /// active any more. `tenure` is the random number of the owner; 0 if there is no owner. It
        /// is called before the observer is, and also while the journal opens. Must not destroy the
        /// journal.
        std::function<void(const Standing& standing, std::uint64_t tenure)> on_standing = {};
    };

    class Ear;

    using SharedOpened = std::function<void(Result<std::unique_ptr<SharedJournal>>)>;
    using Taken = std::function<void(Result<Epoch>)>;

    /// Gives `observer` everything that is committed, then calls `opened` once, never within this
    /// call. The journal is then a standby, also if no member is active.
    ///
    /// If the directory or its identity is removed or replaced, the journal ends: observer.failed()
    /// with `no_such_file`. This is noticed at once where the kernel reports it, otherwise by a
    /// check once in a lease.
    ///
    /// Requires: `observer` outlives the opening and the journal.
    /// Errors: bad_config (none: for example, the directory is of another kind), corrupt (none:
    ///         says which entry), disk_failed (none), or what observer.restore() returned.
    [[nodiscard]] static std::unique_ptr<Opening> open(Runtime& runtime, Log& log, Options options,
                                                       Observer& observer, SharedOpened opened);
    /// The same in the form that a Replica takes. `made` gets the journal before `opened` does, so
    /// that the caller can prompt it and change its role. The receiver of `opened` owns the journal
    /// and decides how long it lives.
    [[nodiscard]] static Open opener(Runtime& runtime, Log& log, Options options,
                                     std::function<void(SharedJournal&)> made = {});
    ~SharedJournal() override;

    /// The active member says that entries up to `committed` are committed. Prompts that are late,
    /// repeated or out of order do no harm. A false prompt does.
    void prompt(Index committed, Epoch epoch);

    /// The active member may be gone. Checks whether it is, now and a few times soon after. Only
    /// where no registry decides.
    void suspect();
    /// For callers that may outlive the journal.
    [[nodiscard]] Ear ear() const;

    /// Becomes active in a new epoch that is at least `at_least`, whichever member was active
    /// before. `done` is called once, after observer.standing_changed(). If this member is active
    /// in a lower epoch, it steps down and takes over again.
    /// Errors: not_active (none: another member was faster), in_use (none), no_space (none),
    ///         limit_exceeded (none: a change of role is under way), closed (none), corrupt,
    ///         disk_failed (none, and the journal has failed).
    void take_over(Epoch at_least, Taken done);

    /// Makes everything durable that was accepted, then ends the tenure of this member.
    /// Errors: not_active, closed, disk_failed (none).
    void step_down(Done done);

    void append(std::vector<Draft> drafts, Urgency urgency, Appended done) override;
    void confirm(Done done) override;
    [[nodiscard]] Result<std::unique_ptr<CheckpointWriter>> begin_checkpoint() override;
    void close(std::function<void()> done) override;

    [[nodiscard]] const Standing& standing() const override;
    [[nodiscard]] Index committed() const override;
    [[nodiscard]] Index checkpoint() const override;
    [[nodiscard]] Space space() const override;

private:
    class Core;
    class Checkpointing;

    explicit SharedJournal(std::shared_ptr<Core> core);

    std::shared_ptr<Core> core_;
};

/// Passes calls to a journal as long as it exists. Later calls do nothing, except that take_over()
/// reports an error. Thread: loop only.
class SharedJournal::Ear {
public:
    Ear() = default;
    void prompt(Index committed, Epoch epoch) const;
    void suspect() const;
    /// As SharedJournal::take_over(). If the journal is gone, `done` gets closed (none) within the
    /// call.
    void take_over(Epoch at_least, Taken done) const;

private:
    friend SharedJournal;
    explicit Ear(std::weak_ptr<Core> core) : core_(std::move(core)) {}

    std::weak_ptr<Core> core_;
};

}  // namespace understudy::journal
