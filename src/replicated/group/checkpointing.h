#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/format/checkpoint_file.h"
#include "replicated/group/delivery.h"
#include "replicated/group/driver.h"
#include "replicated/group/group_membership.h"
#include "replicated/group/kept_checkpoints.h"
#include "replicated/group/schedule.h"
#include "replicated/messages.h"
#include "replicated/node/incoming.h"
#include "runtime/worker.h"

namespace understudy::replicated {

/// The checkpoints of a group: takes its own, fetches those of other members, installs the one that
/// the consensus needs, and restores the state from the one that counts.
///
/// Thread: loop only. Files are written and read on the worker for checkpoints.
/// Source: docs/protocols/replication.md.
class Checkpointing {
public:
    using Done = journal::CheckpointWriter::Done;

    Checkpointing(const GroupContext& context, Owner& owner, Schedule& schedule, Driver& driver,
                  GroupMembership& membership, Delivery& delivery);
    Checkpointing(const Checkpointing&) = delete;
    Checkpointing& operator=(const Checkpointing&) = delete;
    ~Checkpointing() = default;

    // The directory.

    /// Makes the directory, removes files that do not count, then calls `then`.
    void prepare_directory(std::function<void()> then);
    /// Tells the observer the state of the checkpoint that counts, then calls `then`. The observer
    /// of a witness is told nothing.
    void restore(std::function<void()> then);

    // Checkpoints of this member.

    /// Begins a checkpoint of what is applied. Errors: limit_exceeded (none).
    [[nodiscard]] Result<std::unique_ptr<journal::CheckpointWriter>> begin();

    // Checkpoints of other members.

    /// The consensus needs this checkpoint, which `from` has.
    void fetch_wanted(ServerId from, const consensus::SnapshotRef& snapshot);
    /// Fetches one that another member has taken, if this member needs one to trim its log.
    void fetch_newer();
    /// The same for a witness, which takes no checkpoints.
    void fetch_for_witness();
    /// Entries are applied up to `index`.
    void applied(Index index);
    void chunk(ServerId from, const Chunk& chunk);
    void node_connected(const std::string& name);
    [[nodiscard]] bool expected() const { return incoming_ != nullptr; }
    /// Abandons the checkpoint that is being fetched.
    void drop_incoming();

private:
    class Own;

    /// Runs `job` on the worker for checkpoints, then `done`, if the work is still wanted.
    void run(Worker::Job job, std::function<void()> done);
    void restore_slice(std::shared_ptr<journal::CheckpointReader> reader,
                       const consensus::SnapshotRef& snapshot, std::function<void()> then);

    /// The file of a checkpoint is complete: makes the checkpoint count.
    void written(consensus::SnapshotRef snapshot, Done done);
    void own_durable(const consensus::SnapshotRef& snapshot, const Done& done);
    [[nodiscard]] std::uint32_t trailing(Index at) const;
    void remove_superfluous();
    void remove(const std::vector<Index>& indexes);

    [[nodiscard]] bool wants_newer() const;
    void fetch(ServerId from, Index beyond);
    void fetched(Result<consensus::SnapshotRef> result);
    void wanted_fetched(Result<consensus::SnapshotRef> result);
    void install(consensus::SnapshotRef snapshot);
    void installed(Members members);

    /// When the members are asked for a newer checkpoint, one after the other.
    struct Asking {
        TimePoint again;        ///< At this time all members are asked, from the first on.
        std::size_t asked = 0;  ///< How many members of the configuration have been asked.
        Index applied;          ///< The last argument of applied().
    };

    const GroupContext& context_;
    Owner& owner_;
    Schedule& schedule_;
    Driver& driver_;
    GroupMembership& membership_;
    Delivery& delivery_;
    bool own_ = false;  ///< A checkpoint is being written by this member.
    std::unique_ptr<Incoming> incoming_;
    bool incoming_wanted_ = false;  ///< The consensus wants it.
    /// A checkpoint that was fetched. It replaces the log as soon as that is durable.
    std::optional<consensus::SnapshotRef> installing_;
    KeptCheckpoints kept_;
    Asking asking_;
};

}  // namespace understudy::replicated
