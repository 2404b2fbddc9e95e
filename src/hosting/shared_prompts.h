#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "journal/shared/shared_journal.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// Prompts between the members of a shared directory.
///
/// The active member tells its standbys at once what is committed. So they apply an entry about a
/// millisecond after the commit, and not a polling interval after it. When a connection ends, the
/// standby checks at once whether the active member is alive. Correctness depends on neither: a
/// standby that cannot reach the active member polls.
///
/// A standby finds the active member by its claim. Both ends prove that they can read the
/// directory: the standby sends one half of the tenure's random number, the active member answers
/// with the other half.
///
/// Thread: loop only.
/// Bounds: standbys_max connections; one more is closed. A standby that does not read gets fewer
///         prompts, and always the newest one; at most about backlog_bytes_max wait for it.
/// Source: docs/protocols/fencing.md, "Prompts".
class SharedPrompts {
public:
    static constexpr std::size_t standbys_max = 64;
    static constexpr std::size_t backlog_bytes_max = 4 * KiB;

    struct Options {
        Address listen;  ///< Where others connect; port 0: the system chooses.
        std::optional<TlsOptions> tls = {};
    };

    /// Listens. If that fails, it is logged, and the others must poll while this member is active.
    SharedPrompts(Runtime& runtime, Log& log, Options options);
    ~SharedPrompts();
    SharedPrompts(const SharedPrompts&) = delete;
    SharedPrompts& operator=(const SharedPrompts&) = delete;

    /// Opens a member's journal that is bound to this object, which sets prompts_at, on_commit and
    /// on_standing. `made` is that of SharedJournal::opener().
    /// Requires: called once; this outlives the journal.
    [[nodiscard]] journal::Open opener(journal::SharedJournal::Options options,
                                       std::function<void(journal::SharedJournal&)> made = {});

    /// The address to which standbys connect; nullopt: none.
    [[nodiscard]] std::optional<Address> address() const;
    /// The number of standbys that get prompts.
    [[nodiscard]] std::size_t standbys() const;
    /// True if this member is a standby that gets prompts.
    [[nodiscard]] bool prompted() const;

private:
    class Teller;
    class Hearer;

    Runtime& runtime_;
    Log& log_;
    std::unique_ptr<Teller> teller_;
    std::unique_ptr<Hearer> hearer_;
};

}  // namespace understudy::hosting
