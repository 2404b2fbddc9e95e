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

/// The reply to a command. `bytes` live as long as the call.
struct Reply {
    Index index;  ///< Of the entry with the command. 0: it was carried out earlier.
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
    Buffer bytes_;  ///< All replies, one after another.
};

[[nodiscard]] Error request_abandoned();
[[nodiscard]] Error request_expired();

/// Packs the commands of one loop turn into entries, and keeps the callbacks that wait for each.
///
/// An item longer than `pack_bytes_max` gets an entry of its own. If the journal refuses it because
/// of its length, no other command is refused with it.
/// Bounds: bytes_max bytes of items that have not been taken yet; add() refuses more.
/// Thread: loop only.
class Proposals {
public:
    struct Options {
        std::size_t pack_bytes_max = 32 * KiB;
        std::size_t bytes_max = 32 * MiB;
    };
    struct Pack {
        Buffer body;
        std::vector<Answered> waiting;  ///< One for each item, in order.
    };

    explicit Proposals(Options options) : options_(options) {}

    /// Errors: limit_exceeded (none). After an error `answered` is unchanged.
    [[nodiscard]] Result<void> add(const Item& item, Duration time, journal::Urgency urgency,
                                   Answered& answered);
    [[nodiscard]] bool empty() const { return bytes_ == 0; }
    /// The next pack to append, promotions first. nullopt: there is none.
    [[nodiscard]] std::optional<std::pair<journal::Urgency, Pack>> take();
    /// Drops all packs that have not been taken, and returns the callbacks that wait for them.
    [[nodiscard]] std::vector<Answered> take_waiting();

    /// The entry `index` was proposed here and is being applied. The caller fills in its results.
    [[nodiscard]] Results& applied(Index index);
    /// The results of the entry `index`. Results of earlier entries are dropped.
    [[nodiscard]] Results take_results(Index index);
    /// Drops all results.
    void forget_results();
    /// Takes back what take_results() returned, to use its memory again.
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
