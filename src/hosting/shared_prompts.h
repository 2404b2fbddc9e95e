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
/// The active tells its standbys what is committed as soon as it is, so that they are a millisecond
/// behind and not a polling interval. A connection that ends makes them look at once whether the
/// active lives. Nothing rests on either: a standby that cannot reach the active polls.
///
/// The active is found by its claim. Both ends show that they can read the directory: who connects
/// says one half of the tenure's random number, who answers says the other.
///
/// Thread: loop only.
/// Bounds: standbys_max connections, one more is closed. A standby that does not read is told less
///         often; it is always the newest that it is told, and backlog_bytes_max is all that waits.
/// Source: docs/protocols/fencing.md, "Prompts".
class SharedPrompts {
public:
    static constexpr std::size_t standbys_max = 64;
    static constexpr std::size_t backlog_bytes_max = 4 * KiB;

    struct Options {
        Address listen;  ///< What others connect to; port 0: the system chooses.
        std::optional<TlsOptions> tls = {};
    };

    /// Listens; if that fails, the others must poll while this member is active, and the log says
    /// so.
    SharedPrompts(Runtime& runtime, Log& log, Options options);
    ~SharedPrompts();
    SharedPrompts(const SharedPrompts&) = delete;
    SharedPrompts& operator=(const SharedPrompts&) = delete;

    /// A member's journal, bound to this: prompts_at, on_commit and on_standing are ours. `made` is
    /// as that of SharedJournal::opener().
    /// Requires: called once; this outlives the journal.
    [[nodiscard]] journal::Open opener(journal::SharedJournal::Options options,
                                       std::function<void(journal::SharedJournal&)> made = {});

    /// Where standbys are told; nullopt: nowhere.
    [[nodiscard]] std::optional<Address> address() const;
    /// How many standbys are being told.
    [[nodiscard]] std::size_t standbys() const;
    /// Is this a standby that is being told?
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
