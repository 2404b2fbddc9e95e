#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/journal_view.h"
#include "registry/state.h"
#include "replica/checkpoint_stream.h"
#include "runtime/disk.h"

namespace understudy::apps {

/// What one command, request, or change of a session in an entry was.
struct ReplayedItem {
    wire::Dynamic::Map json;
    std::string text;
};

/// Carries out the commands of a registry's journal, as its replica would.
///
/// Thread: the owner's.
class RegistryReplay {
public:
    /// Restores from the newest whole checkpoint before `from`, if there is one.
    /// Errors: corrupt, limit_exceeded, disk_failed (none).
    [[nodiscard]] Result<void> begin(Disk& disk, const std::string& directory,
                                     const std::vector<journal::WalkedCheckpoint>& checkpoints,
                                     Index from);
    /// Errors: corrupt (none): an entry before it is missing, or it is no pack.
    [[nodiscard]] Result<void> take(const journal::Entry& entry);

    /// Is what has been restored or carried out so far a registry's?
    [[nodiscard]] bool founded() const { return state_->founded(); }
    [[nodiscard]] Index applied() const { return applied_; }
    [[nodiscard]] std::uint64_t hash() const { return state_->hash(); }

private:
    std::unique_ptr<registry::State> state_ = std::make_unique<registry::State>();
    replica::Replicated replicated_;
    Index applied_;
};

/// Is the first command of this pack the one that founds a registry?
[[nodiscard]] bool founds_registry(Bytes pack);

/// The items of a pack; `registry`: commands are a registry's. What is no pack gives nothing.
[[nodiscard]] std::vector<ReplayedItem> items_of(Bytes pack, BodyAs how, bool registry);
/// The records of a command of a node's log. What is none gives nothing.
[[nodiscard]] std::vector<ReplayedItem> records_of(Bytes body, BodyAs how);

}  // namespace understudy::apps
