#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/view/journal_view.h"
#include "registry/state/state.h"
#include "replica/checkpoint_stream.h"
#include "runtime/disk.h"

namespace understudy::apps {

/// One command, request, or change of a session in an entry.
struct ReplayedItem {
    wire::Dynamic::Map json;
    std::string text;
};

/// Carries out the contents of a journal, as a replica would.
///
/// Thread: that of its owner.
class MachineReplay {
public:
    /// Requires: `machine` has its initial state, and outlives this.
    explicit MachineReplay(StateMachine& machine) : machine_(machine) {}

    /// Restores from the newest intact checkpoint before `from`, if there is one.
    /// Errors: corrupt, limit_exceeded, disk_failed (none).
    [[nodiscard]] Result<void> begin(Disk& disk, const std::string& directory,
                                     const std::vector<journal::WalkedCheckpoint>& checkpoints,
                                     Index from);
    /// Errors: corrupt (none): an earlier entry is missing, or it is not a pack.
    [[nodiscard]] Result<void> take(const journal::Entry& entry);

    [[nodiscard]] Index applied() const { return applied_; }

private:
    StateMachine& machine_;
    replica::Replicated replicated_;
    Index applied_;
};

/// A registry's state from its journal.
///
/// Thread: that of its owner.
class RegistryReplay {
public:
    /// As MachineReplay; the same holds for take().
    [[nodiscard]] Result<void> begin(Disk& disk, const std::string& directory,
                                     const std::vector<journal::WalkedCheckpoint>& checkpoints,
                                     Index from) {
        return replay_.begin(disk, directory, checkpoints, from);
    }
    [[nodiscard]] Result<void> take(const journal::Entry& entry) { return replay_.take(entry); }

    /// True if what was restored or carried out so far is the state of a registry.
    [[nodiscard]] bool founded() const { return state_->founded(); }
    [[nodiscard]] Index applied() const { return replay_.applied(); }
    [[nodiscard]] std::uint64_t hash() const { return state_->hash(); }

private:
    std::unique_ptr<registry::State> state_ = std::make_unique<registry::State>();
    MachineReplay replay_{*state_};
};

/// True if the first command of this pack founds a registry.
[[nodiscard]] bool founds_registry(Bytes pack);

/// The items of a pack; `registry`: its commands are those of a registry. Empty if it is not a
/// pack.
[[nodiscard]] std::vector<ReplayedItem> items_of(Bytes pack, BodyAs how, bool registry);
/// The records of a command of a node's log. Empty if it is not one.
[[nodiscard]] std::vector<ReplayedItem> records_of(Bytes body, BodyAs how);

}  // namespace understudy::apps
