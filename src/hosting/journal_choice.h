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

/// The journal that an application chose, whatever its kind, and what it needs to run.
/// Thread: loop only, but check().
class JournalChoice {
public:
    /// May this member become active? On a replicated journal the list of founders says so.
    enum class Electable : std::uint8_t { no, yes };

    virtual ~JournalChoice() = default;

    /// What it is opened in. All outlive it.
    struct World {
        Runtime& runtime;
        Log& log;
        ProcessNodes& nodes;
        consensus::MakeCore engine;  ///< Of replicated journals; null: this build has none.
    };
    /// What runs on it, and where: the directory says so, and is checked.
    struct Purpose {
        journal::DirectoryUse use = journal::DirectoryUse::replica;
        /// Of an immortal whose copies have directories in it; empty: they have not.
        std::string copies_in = {};
    };

    /// Errors: bad_config (none).
    [[nodiscard]] static Result<void> check(const ReplicaOptions& options,
                                            const consensus::MakeCore& engine);
    /// Requires: check() had nothing to say.
    [[nodiscard]] static std::unique_ptr<JournalChoice> make(const World& world,
                                                             const ReplicaOptions& options,
                                                             Electable electable,
                                                             const Purpose& purpose);

    /// For Replica::open(). This outlives the journal.
    [[nodiscard]] virtual journal::Open open() = 0;
    using Done = std::function<void(Result<void>)>;
    /// The member that becomes active takes the role itself (a shared directory), or the active
    /// member gives it (a replicated journal).
    enum class Handover : std::uint8_t { none, taken, given };
    [[nodiscard]] virtual Handover handover() const { return Handover::none; }
    /// For Handover::taken: makes this member active, in an epoch above this one. `done` is called
    /// once. Errors: as SharedJournal::take_over(); closed (none): the journal is not open.
    virtual void take(Epoch above, Done done);
    /// For Handover::given: makes `member` lead. Errors: as replicated::Node::transfer().
    virtual void give(const std::string& member, Done done);
    /// The journal has ended; `done` comes when what it ran on has, too.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::hosting
