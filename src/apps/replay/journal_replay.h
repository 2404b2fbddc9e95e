#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/view/journal_view.h"
#include "registry/state.h"
#include "replica/checkpoint_stream.h"
#include "runtime/disk.h"

namespace understudy::apps {

/// What one command, request, or change of a session in an entry was.
struct ReplayedItem {
    wire::Dynamic::Map json;
    std::string text;
};

/// Carries out what a journal holds, as a replica would.
///
/// Thread: the owner's.
class MachineReplay {
public:
    /// `machine` is as new, and outlives this.
    explicit MachineReplay(StateMachine& machine) : machine_(machine) {}

    /// Restores from the newest whole checkpoint before `from`, if there is one.
    /// Errors: corrupt, limit_exceeded, disk_failed (none).
    [[nodiscard]] Result<void> begin(Disk& disk, const std::string& directory,
                                     const std::vector<journal::WalkedCheckpoint>& checkpoints,
                                     Index from);
    /// Errors: corrupt (none): an entry before it is missing, or it is no pack.
    [[nodiscard]] Result<void> take(const journal::Entry& entry);

    [[nodiscard]] Index applied() const { return applied_; }

private:
    StateMachine& machine_;
    replica::Replicated replicated_;
    Index applied_;
};

/// A registry's state from its journal.
///
/// Thread: the owner's.
class RegistryReplay {
public:
    /// As MachineReplay; so take().
    [[nodiscard]] Result<void> begin(Disk& disk, const std::string& directory,
                                     const std::vector<journal::WalkedCheckpoint>& checkpoints,
                                     Index from) {
        return replay_.begin(disk, directory, checkpoints, from);
    }
    [[nodiscard]] Result<void> take(const journal::Entry& entry) { return replay_.take(entry); }

    /// Is what has been restored or carried out so far a registry's?
    [[nodiscard]] bool founded() const { return state_->founded(); }
    [[nodiscard]] Index applied() const { return replay_.applied(); }
    [[nodiscard]] std::uint64_t hash() const { return state_->hash(); }

private:
    std::unique_ptr<registry::State> state_ = std::make_unique<registry::State>();
    MachineReplay replay_{*state_};
};

/// Is the first command of this pack the one that founds a registry?
[[nodiscard]] bool founds_registry(Bytes pack);

/// The items of a pack; `registry`: commands are a registry's. What is no pack gives nothing.
[[nodiscard]] std::vector<ReplayedItem> items_of(Bytes pack, BodyAs how, bool registry);
/// The records of a command of a node's log. What is none gives nothing.
[[nodiscard]] std::vector<ReplayedItem> records_of(Bytes body, BodyAs how);

}  // namespace understudy::apps
