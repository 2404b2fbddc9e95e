#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "consensus/core.h"
#include "hosting/process_nodes.h"
#include "journal/format/directory_identity.h"
#include "journal/journal.h"
#include "runtime/runtime.h"
#include "understudy/replica.h"

namespace understudy::hosting {

/// The journal that an application has chosen, of any kind, and what it needs to run.
/// Thread: loop only, except check().
class JournalChoice {
public:
    /// May this member become active? On a replicated journal the list of founders says so.
    enum class Electable : std::uint8_t { no, yes };

    virtual ~JournalChoice() = default;

    /// What the journal uses. All of it outlives the journal.
    struct World {
        Runtime& runtime;
        Log& log;
        ProcessNodes& nodes;
        consensus::MakeCore engine;  ///< For replicated journals. Null: this build has none.
    };
    /// What the journal is used for. Its directory records this, and the record is checked.
    struct Purpose {
        journal::DirectoryUse use = journal::DirectoryUse::replica;
        /// The directory that contains the directories of an immortal's copies. Empty: there is
        /// none.
        std::string copies_in = {};
    };

    /// Errors: bad_config (none).
    [[nodiscard]] static Result<void> check(const ReplicaOptions& options,
                                            const consensus::MakeCore& engine);
    /// Requires: check() succeeded.
    [[nodiscard]] static std::unique_ptr<JournalChoice> make(const World& world,
                                                             const ReplicaOptions& options,
                                                             Electable electable,
                                                             const Purpose& purpose);

    /// For Replica::open(). This outlives the journal.
    [[nodiscard]] virtual journal::Open open() = 0;
    using Done = std::function<void(Result<void>)>;
    /// taken: the member that becomes active takes the role itself (a shared directory). given: the
    /// active member transfers the role (a replicated journal).
    enum class Handover : std::uint8_t { none, taken, given };
    [[nodiscard]] virtual Handover handover() const { return Handover::none; }
    /// For Handover::taken: makes this member active, in an epoch above this one. `done` is called
    /// once. Errors: as SharedJournal::take_over(); closed (none): the journal is not open.
    virtual void take(Epoch above, Done done);
    /// For Handover::given: makes `member` lead. Errors: as replicated::Node::transfer().
    virtual void give(const std::string& member, Done done);
    /// Called after the end of the journal. `done` is called when what the journal used has ended
    /// too.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::hosting
