#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "consensus/core.h"
#include "journal/journal.h"

namespace understudy::replicated {

/// The appends of a member, from the call to the answer.
///
/// Appends wait until there is credit, and go to the consensus in rounds of one urgency. They are
/// answered when the entry at their last index is applied; it is theirs only if it has the term in
/// which it was proposed. A request for confirmation is answered with the next round that is
/// applied, or with a barrier that is made for it.
///
/// Machine. Bounds: the limits.
class PendingAppends {
public:
    using Appended = journal::Journal::Appended;
    using Done = journal::Journal::Done;

    struct Limits {
        std::uint64_t queue_bytes_max = 32 * MiB;  ///< Per urgency.
        std::uint32_t outstanding_entries_max = 4096;
        std::uint64_t outstanding_bytes_max = 16 * MiB;
        std::uint64_t entry_bytes_max = 2 * MiB - 1 * KiB;  ///< One entry fits one message.
    };
    /// Each append counts as this many bytes in addition to its bodies, so that empty ones are
    /// bounded too.
    static constexpr std::uint64_t append_overhead_bytes = 64;

    struct Append {
        std::vector<journal::Draft> drafts;
        Appended done;
        std::uint64_t bytes = 0;
    };
    /// What is proposed together.
    struct Round {
        std::vector<consensus::LogEntry> entries;
        journal::Urgency urgency = journal::Urgency::ordinary;
        std::vector<Append> appends;  ///< Without their bodies, which are in the entries.
        bool confirms = false;        ///< Made for requests for confirmation.
    };
    /// An answer that is due. It may call the owner of this object, or destroy it.
    struct Answer {
        Appended appended;  ///< Either this or `done` is set.
        Done done;
        Result<Index> result;
        void give() const;
    };
    using Answers = std::vector<Answer>;  ///< In order.

    explicit PendingAppends(Limits limits) : limits_(limits) {}

    /// Errors: limit_exceeded (none). Then `append` is left as it was.
    [[nodiscard]] Result<void> add(Append& append, journal::Urgency urgency);
    void confirm(Done done) { asking_.push_back(std::move(done)); }

    /// Tells whether next() should be called: something waits, and the last round was not refused.
    [[nodiscard]] bool ready() const;
    /// The next round, if something waits and there is credit for it.
    [[nodiscard]] std::optional<Round> next();
    /// The round was taken, and its entries begin at `first`.
    void proposed(Round round, Index first, Epoch term);
    /// The round was not taken. It waits again, before all others. ready() is false until retry().
    void returned(Round round);
    void retry() { refused_ = false; }

    /// The entry at `index` is applied and has this term.
    void applied(Index index, Epoch term, Answers& answers);
    /// The lead is lost. What was proposed may still be committed; what was not proposed will not
    /// be.
    void lost(Answers& answers);
    /// The disk is full: the waiting ordinary appends are refused.
    void refuse_ordinary(const Error& error, Answers& answers);
    /// Answers everything that waits with `error`.
    void fail(const Error& error, Answers& answers);

    [[nodiscard]] bool idle() const;
    [[nodiscard]] std::uint64_t outstanding_entries() const { return outstanding_entries_; }

private:
    struct Queue {
        std::deque<Append> appends;
        std::uint64_t bytes = 0;
    };
    struct Proposed {
        Index last;
        Epoch term;
        Appended done;
        std::uint64_t entries = 0;
        std::uint64_t bytes = 0;
    };
    struct Asked {
        Index behind;
        Epoch term;
        std::vector<Done> dones;
    };

    [[nodiscard]] Queue& queue(journal::Urgency urgency);
    [[nodiscard]] bool has_credit(const Append& append, std::uint64_t entries,
                                  std::uint64_t bytes) const;
    void refuse(Queue& queue, const Error& error, Answers& answers);

    const Limits limits_;
    Queue ordinary_;
    Queue promotion_;
    std::deque<Proposed> proposed_;
    std::uint64_t outstanding_entries_ = 0;
    std::uint64_t outstanding_bytes_ = 0;
    bool refused_ = false;
    std::vector<Done> asking_;
    std::deque<Asked> asked_;
};

}  // namespace understudy::replicated
