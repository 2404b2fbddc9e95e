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

/// A journal in a directory that several members mount, one of them active.
///
/// Who has one: a service of two or more members that share a file system: one machine, NFSv4,
/// GFS2, CephFS. Whoever takes over has every acknowledged entry, be the one before dead, hung or
/// cut off; that one, resumed, acknowledges nothing more. Nothing rests on locks or clocks.
///
/// Each member opens it as a standby, follows what is committed, and may become active.
///
/// When not to use it: where the disk may die with the machine (then replicated), or for one
/// process alone (LocalJournal needs no new segment for each tenure).
///
/// Thread: loop only.
/// Source: docs/protocols/fencing.md, docs/formats/shared-journal.md.
class SharedJournal final : public Journal {
public:
    /// Who says that this member is to be active.
    enum class Election : std::uint8_t {
        granted,     ///< take_over() does.
        autonomous,  ///< The members among themselves, by lock and progress stamp.
    };

    struct Options {
        std::string directory;  ///< Made if absent, mode 0700.
        std::string member;     ///< What others hear as Standing::active; at most 472 bytes.
        Election election = Election::granted;
        Duration lease = 1s;            ///< How long an owner may be silent (autonomous).
        Duration poll_interval = 20ms;  ///< Of a standby that is not prompted.
        /// 64 KiB to 4 GiB, in steps of 4 KiB; the first of a tenure has 4 MiB at most.
        std::uint64_t segment_size_bytes = 1 * MiB;
        std::uint64_t queue_bytes_max = 32 * MiB;    ///< Waiting for the disk, per urgency.
        Duration reserve_retry_interval = 1s;        ///< After the disk was full.
        Duration mark_after = 1s;  ///< Idle time, then the last entry is vouched for.
        /// What the directory is, and those around it: checked, and written down in a new one.
        std::vector<DirectoryWanted> identities = {};
        /// Where standbys are prompted while this member is active: stands in its claim.
        std::optional<Address> prompts_at = {};
        /// Called at the active when entries have become committed: what prompt() of the standbys
        /// is to be given. May not destroy the journal.
        std::function<void(Index committed, Epoch epoch)> on_commit = {};
        /// Called when another is active, or this member, or nobody any more: then `tenure`, the
        /// number that the owner has drawn, is 0. Before the observer hears it, while the journal
        /// opens too. May not destroy the journal.
        std::function<void(const Standing& standing, std::uint64_t tenure)> on_standing = {};
    };

    class Ear;

    using SharedOpened = std::function<void(Result<std::unique_ptr<SharedJournal>>)>;
    using Taken = std::function<void(Result<Epoch>)>;

    /// Tells `observer` all that is committed, then calls `opened` once, never within this call.
    /// The journal is a standby then, also where nobody is active.
    ///
    /// A directory that is removed or replaced, or whose identity is, ends the journal:
    /// observer.failed() with `no_such_file`. It is noticed at once where the kernel tells, else
    /// once in a lease.
    ///
    /// Requires: `observer` outlives the opening and the journal.
    /// Errors: bad_config (none: among others, the directory is something else), corrupt (none:
    ///         says which entry), disk_failed (none), or what
    ///         observer.restore() returned.
    [[nodiscard]] static std::unique_ptr<Opening> open(Runtime& runtime, Log& log, Options options,
                                                       Observer& observer, SharedOpened opened);
    /// The same as a Replica wants it. `made` is given the journal before `opened` is, so that
    /// somebody can prompt it and change its role; it lives as long as whom `opened` gives it to
    /// says.
    [[nodiscard]] static Open opener(Runtime& runtime, Log& log, Options options,
                                     std::function<void(SharedJournal&)> made = {});
    ~SharedJournal() override;

    /// The active says that entries up to `committed` are. Late, repeated and out of order ones do
    /// no harm; false ones do.
    void prompt(Index committed, Epoch epoch);

    /// The active may be gone: looks whether it is, now and a few times soon after. Only where no
    /// registry decides.
    void suspect();
    /// For whoever may outlive the journal.
    [[nodiscard]] Ear ear() const;

    /// Becomes active in a new epoch, `at_least` that, whoever was; `done` is called once, after
    /// observer.standing_changed(). An active in a lower epoch hands over to itself.
    /// Errors: not_active (none: another was quicker), in_use (none), no_space (none),
    ///         limit_exceeded (none: it is under way), closed (none), corrupt, disk_failed (none,
    ///         and the journal has failed).
    void take_over(Epoch at_least, Taken done);

    /// Lets what was accepted become durable, then leaves the journal to others.
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

/// What others have to say to a journal; does nothing when that is gone. Thread: loop only.
class SharedJournal::Ear {
public:
    Ear() = default;
    void prompt(Index committed, Epoch epoch) const;
    void suspect() const;
    /// As of the journal; if that is gone, closed (none), within the call.
    void take_over(Epoch at_least, Taken done) const;

private:
    friend SharedJournal;
    explicit Ear(std::weak_ptr<Core> core) : core_(std::move(core)) {}

    std::weak_ptr<Core> core_;
};

}  // namespace understudy::journal
