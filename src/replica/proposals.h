#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "journal/journal.h"
#include "replica/pack.h"

namespace understudy::replica {

/// What a command was answered with. Bytes live as long as the call.
struct Reply {
    Index index;  ///< Of the entry with the command; 0: it was carried out earlier.
    Bytes bytes;
};

using Answered = std::function<void(Result<Reply>)>;

/// What became of the items of one entry.
class Results {
public:
    enum class Kind : std::uint8_t { reply, abandoned, expired };

    void clear(Index index) {
        index_ = index;
        rows_.clear();
        bytes_.clear();
    }
    void add(Kind kind, Bytes reply);

    [[nodiscard]] Index index() const { return index_; }
    [[nodiscard]] std::size_t size() const { return rows_.size(); }
    [[nodiscard]] Result<Reply> at(std::size_t i) const;

private:
    struct Row {
        Kind kind;
        std::uint32_t end;
    };
    Index index_;
    std::vector<Row> rows_;
    Buffer bytes_;  ///< Of all replies, one behind the other.
};

[[nodiscard]] Error request_abandoned();
[[nodiscard]] Error request_expired();

/// Packs what is proposed in one loop turn into entries, and finds who waits for which.
///
/// An item longer than `pack_bytes_max` gets an entry of its own, so that a refusal for its length
/// is its alone.
/// Bounds: bytes_max of items that have not been taken yet.
/// Thread: loop only.
class Proposals {
public:
    struct Options {
        std::size_t pack_bytes_max = 32 * KiB;
        std::size_t bytes_max = 32 * MiB;
    };
    struct Pack {
        Buffer body;
        std::vector<Answered> waiting;  ///< For its items, in order.
    };

    explicit Proposals(Options options) : options_(options) {}

    /// Errors: limit_exceeded (none); `answered` is untouched then.
    [[nodiscard]] Result<void> add(const Item& item, Duration time, journal::Urgency urgency,
                                   Answered& answered);
    [[nodiscard]] bool empty() const { return bytes_ == 0; }
    /// The next pack to append, promotions first. Nothing: there is none.
    [[nodiscard]] std::optional<std::pair<journal::Urgency, Pack>> take();
    /// Who waits for what has not been taken; it is forgotten.
    [[nodiscard]] std::vector<Answered> take_waiting();

    /// An entry of ours has been applied: what became of its items. To be filled by the caller.
    [[nodiscard]] Results& applied(Index index);
    /// The results for entry `index`; those before it nobody will ask for.
    [[nodiscard]] Results take_results(Index index);
    /// Nobody will ask for what is here.
    void forget_results();
    /// Gives back what take_results() gave, to be used again.
    void reuse(Results results);

private:
    [[nodiscard]] std::deque<Pack>& queue(journal::Urgency urgency) {
        return urgency == journal::Urgency::promotion ? promotions_ : ordinary_;
    }

    const Options options_;
    std::deque<Pack> promotions_;
    std::deque<Pack> ordinary_;
    std::size_t bytes_ = 0;
    std::deque<Results> results_;  ///< By index.
    std::vector<Results> spare_;
};

}  // namespace understudy::replica
