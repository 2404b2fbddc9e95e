#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "journal/journal.h"
#include "runtime/runtime.h"
#include "understudy/replica.h"

namespace understudy::library {

/// The journal that an application chose, whatever its kind, and what it needs to run.
/// Thread: loop only, but check().
class ReplicaJournal {
public:
    /// May this member become active? On a replicated journal the list of founders says so.
    enum class Electable : std::uint8_t { no, yes };

    virtual ~ReplicaJournal() = default;

    /// Errors: bad_config (none).
    [[nodiscard]] static Result<void> check(const ReplicaOptions& options);
    /// Requires: check() had nothing to say.
    [[nodiscard]] static std::unique_ptr<ReplicaJournal> make(Runtime& runtime, Log& log,
                                                              const ReplicaOptions& options,
                                                              Electable electable = Electable::yes);

    /// For Replica::open(). This outlives the journal.
    [[nodiscard]] virtual journal::Open open() = 0;
    /// The journal has ended; `done` comes when what it ran on has, too.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::library
