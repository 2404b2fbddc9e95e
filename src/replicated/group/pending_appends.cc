#include "replicated/group/pending_appends.h"

#include <utility>

#include <fmt/format.h>

#include "replicated/entry_body.h"

namespace understudy::replicated {

namespace {

using journal::Urgency;

Error too_much(std::string detail) {
    return {.code = Errc::limit_exceeded, .detail = std::move(detail)};
}

const Error not_proposed{.code = Errc::not_active, .detail = "the lead was lost"};
const Error perhaps_proposed{.code = Errc::not_active,
                             .effect = Effect::unknown,
                             .detail = "the lead was lost while it was under way"};

void answer(PendingAppends::Answers& answers, PendingAppends::Appended appended,
            Result<Index> result) {
    answers.push_back({.appended = std::move(appended), .done = {}, .result = std::move(result)});
}
void answer(PendingAppends::Answers& answers, std::vector<PendingAppends::Done> dones,
            const Result<Index>& result) {
    for (auto& done : dones) {
        answers.push_back({.appended = {}, .done = std::move(done), .result = result});
    }
}

}  // namespace

void PendingAppends::Answer::give() const {
    if (appended) return appended(result);
    done(result ? Result<void>{} : Result<void>{result.error()});
}

PendingAppends::Queue& PendingAppends::queue(Urgency urgency) {
    return urgency == Urgency::promotion ? promotion_ : ordinary_;
}

Result<void> PendingAppends::add(Append& append, Urgency urgency) {
    US_ASSERT(!append.drafts.empty());
    if (append.drafts.size() > limits_.outstanding_entries_max) {
        return too_much(fmt::format("{} entries at once, at most {}", append.drafts.size(),
                                    limits_.outstanding_entries_max));
    }
    std::uint64_t bytes = 0;
    for (const journal::Draft& draft : append.drafts) {
        if (draft.body.size() + 2 > limits_.entry_bytes_max) {
            return too_much(fmt::format("entry of {} bytes, at most {}", draft.body.size(),
                                        limits_.entry_bytes_max - 2));
        }
        bytes += draft.body.size();
    }
    if (bytes > limits_.outstanding_bytes_max) {
        return too_much(
            fmt::format("{} bytes at once, at most {}", bytes, limits_.outstanding_bytes_max));
    }
    Queue& place = queue(urgency);
    if (place.bytes + bytes + append_overhead_bytes > limits_.queue_bytes_max) {
        return too_much(fmt::format("{} bytes wait to be appended", place.bytes));
    }
    append.bytes = bytes;
    place.bytes += bytes + append_overhead_bytes;
    place.appends.push_back(std::move(append));
    return {};
}

bool PendingAppends::has_credit(const Append& append, std::uint64_t entries,
                                std::uint64_t bytes) const {
    return outstanding_entries_ + entries + append.drafts.size() <=
               limits_.outstanding_entries_max &&
           outstanding_bytes_ + bytes + append.bytes <= limits_.outstanding_bytes_max;
}

bool PendingAppends::ready() const {
    if (refused_) return false;
    const Queue& from = promotion_.appends.empty() ? ordinary_ : promotion_;
    if (from.appends.empty()) return !asking_.empty() && asked_.empty();
    return has_credit(from.appends.front(), 0, 0);
}

std::optional<PendingAppends::Round> PendingAppends::next() {
    Round round;
    round.urgency = promotion_.appends.empty() ? Urgency::ordinary : Urgency::promotion;
    Queue& from = queue(round.urgency);
    if (from.appends.empty()) {
        // Requests for confirmation wait for the round before them, so one barrier serves many.
        if (asking_.empty() || !asked_.empty()) return std::nullopt;
        round.confirms = true;
        round.entries.push_back({.term = {}, .kind = consensus::EntryKind::barrier, .body = {}});
        return round;
    }

    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    while (!from.appends.empty() && has_credit(from.appends.front(), entries, bytes)) {
        Append& append = from.appends.front();
        entries += append.drafts.size();
        bytes += append.bytes;
        from.bytes -= append.bytes + append_overhead_bytes;
        round.appends.push_back(std::move(append));
        from.appends.pop_front();
    }
    if (round.appends.empty()) return std::nullopt;

    // All bodies of a round have one owner.
    const auto bodies = std::make_shared<std::vector<Buffer>>();
    bodies->reserve(static_cast<std::size_t>(entries));
    round.entries.reserve(static_cast<std::size_t>(entries));
    for (Append& append : round.appends) {
        for (journal::Draft& draft : append.drafts) {
            US_ASSERT(draft.type != journal::EntryType::tenure);
            const auto kind =
                draft.type == journal::EntryType::mark ? BodyKind::mark : BodyKind::command;
            bodies->push_back(encode_body(kind, std::move(draft.body)));
            round.entries.push_back({.term = {},
                                     .kind = consensus::EntryKind::command,
                                     .body = {.owner = bodies, .bytes = bodies->back()}});
        }
    }
    return round;
}

void PendingAppends::proposed(Round round, Index first, Epoch term) {
    Index last{first.value - 1};
    for (Append& append : round.appends) {
        last.value += append.drafts.size();
        outstanding_entries_ += append.drafts.size();
        outstanding_bytes_ += append.bytes;
        proposed_.push_back({.last = last,
                             .term = term,
                             .done = std::move(append.done),
                             .entries = append.drafts.size(),
                             .bytes = append.bytes});
    }
    if (round.confirms) ++last.value;
    if (!asking_.empty()) {
        asked_.push_back({.behind = last, .term = term, .dones = std::exchange(asking_, {})});
    }
}

void PendingAppends::returned(Round round) {
    refused_ = true;
    Queue& place = queue(round.urgency);
    std::size_t entry = round.entries.size();
    for (auto append = round.appends.rbegin(); append != round.appends.rend(); ++append) {
        for (auto draft = append->drafts.rbegin(); draft != append->drafts.rend(); ++draft) {
            // The body is taken back without its escape, which is added again later.
            const auto body = decode_body(round.entries.at(--entry).body.bytes);
            US_ASSERT(body);
            draft->body.assign(body->content.begin(), body->content.end());
        }
        place.bytes += append->bytes + append_overhead_bytes;
        place.appends.push_front(std::move(*append));
    }
}

void PendingAppends::applied(Index index, Epoch term, Answers& answers) {
    while (!proposed_.empty() && proposed_.front().last <= index) {
        Proposed proposed = std::move(proposed_.front());
        proposed_.pop_front();
        outstanding_entries_ -= proposed.entries;
        outstanding_bytes_ -= proposed.bytes;
        if (proposed.last == index && proposed.term == term) {
            answer(answers, std::move(proposed.done), index);
        } else {
            answer(answers, std::move(proposed.done), perhaps_proposed);
        }
    }
    while (!asked_.empty() && asked_.front().behind <= index) {
        Asked asked = std::move(asked_.front());
        asked_.pop_front();
        if (asked.term == term) {
            answer(answers, std::move(asked.dones), index);
        } else {
            answer(answers, std::move(asked.dones), not_proposed);
        }
    }
}

void PendingAppends::refuse(Queue& from, const Error& error, Answers& answers) {
    for (Append& append : from.appends) answer(answers, std::move(append.done), error);
    from.appends.clear();
    from.bytes = 0;
}

void PendingAppends::lost(Answers& answers) {
    for (Proposed& proposed : proposed_)
        answer(answers, std::move(proposed.done), perhaps_proposed);
    proposed_.clear();
    outstanding_entries_ = 0;
    outstanding_bytes_ = 0;
    refuse(promotion_, not_proposed, answers);
    refuse(ordinary_, not_proposed, answers);
    for (Asked& asked : asked_) answer(answers, std::move(asked.dones), not_proposed);
    asked_.clear();
    answer(answers, std::exchange(asking_, {}), not_proposed);
}

void PendingAppends::refuse_ordinary(const Error& error, Answers& answers) {
    refuse(ordinary_, error, answers);
}

void PendingAppends::fail(const Error& error, Answers& answers) {
    Error unknown = error;
    unknown.effect = Effect::unknown;
    for (Proposed& proposed : proposed_) answer(answers, std::move(proposed.done), unknown);
    proposed_.clear();
    outstanding_entries_ = 0;
    outstanding_bytes_ = 0;
    Error none = error;
    none.effect = Effect::none;
    refuse(promotion_, none, answers);
    refuse(ordinary_, none, answers);
    for (Asked& asked : asked_) answer(answers, std::move(asked.dones), none);
    asked_.clear();
    answer(answers, std::exchange(asking_, {}), none);
}

bool PendingAppends::idle() const {
    return proposed_.empty() && ordinary_.appends.empty() && promotion_.appends.empty() &&
           asking_.empty() && asked_.empty();
}

}  // namespace understudy::replicated
