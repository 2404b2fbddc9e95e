// Output: makes effects of the engine's updates, and tells the engine what it must know about them.
#include <utility>

#include "base/plant.h"
#include "consensus/configuration.h"
#include "raft/convert.h"
#include "raft/raft_core.h"

namespace understudy::raft {

using namespace consensus;

void RaftCore::send(ServerId to, Message message) {
    effects_.push_back(Send{.to = to, .message = std::move(message)});
}

Result<void> RaftCore::collect(us_result result, Fresh fresh) {
    switch (result) {
        case US_OK:
            break;
        case US_NOT_LEADER:
            return Error{.code = Errc::not_active, .detail = "not the leader"};
        case US_CANNOT_CHANGE:
        case US_BAD_SERVER:
        case US_NOT_NOW:
            return Error{.code = Errc::refused, .detail = "the engine does not take it now"};
        case US_BROKEN:
            return Error{.code = Errc::failed,
                         .effect = understudy::Effect::unknown,
                         .detail = "the engine has failed"};
    }
    collect_hard_state();
    collect_entries(fresh);
    for (unsigned i = 0; i < us_engine_messages_n(engine_.get()); ++i) {
        collect_message(us_engine_message(engine_.get(), i));
    }
    return collect_commit();
}

void RaftCore::collect_hard_state() {
    const HardState now{.term = term(), .vote = {us_engine_vote(engine_.get())}};
    if (now == hard_) return;
    US_ASSERT(now.term > hard_.term || (now.term == hard_.term && hard_.vote.value == 0));
    const HardState before = std::exchange(hard_, now);
    HardState kept = planted(Plant::term_not_kept) ? before : now;
    if (planted(Plant::vote_not_kept)) kept.vote = {};
    effects_.push_back(PersistHardState{.hard = kept});
}

void RaftCore::collect_entries(Fresh fresh) {
    const Index from{us_engine_entries_index(engine_.get())};
    if (from.value == 0) return;
    PersistEntries persist{.from = from, .entries = {}};
    configurations_.erase(configurations_.lower_bound(from), configurations_.end());
    Index index = from;
    for (unsigned i = 0; i < us_engine_entries_n(engine_.get()); ++i, index = index.next()) {
        if (fresh.entries == nullptr) {  // An entry that the engine made.
            persist.entries.push_back({.term = term(), .kind = EntryKind::barrier, .body = {}});
            continue;
        }
        US_ASSERT(index >= fresh.first);
        const auto at = static_cast<std::size_t>(index.value - fresh.first.value);
        LogEntry& entry = fresh.entries->at(at);
        if (entry.kind == EntryKind::configuration) {
            auto configuration = decode_configuration(entry.body.bytes);
            US_ASSERT(configuration);
            configurations_[index] = *std::move(configuration);
        }
        persist.entries.push_back(std::move(entry));
    }
    persist.write = writes_.add(from, Index{index.value - 1}, guards_.on(Guard::cut_writes));
    effects_.push_back(std::move(persist));
}

void RaftCore::collect_message(const us_message& message) {
    const ServerId to{message.peer};
    const Epoch message_term{message.term};
    const Index index{message.index};
    const Epoch index_term{message.index_term};
    switch (message.type) {
        case US_VOTE_REQUEST:
            send(to, VoteRequest{.term = message_term,
                                 .candidate = options_.id,
                                 .last_index = index,
                                 .last_term = index_term,
                                 .disrupt_leader = message.flag,
                                 .pre_vote = message.pre_vote});
            break;
        case US_VOTE_RESULT:
            send(to,
                 VoteResult{
                     .term = message_term, .granted = message.flag, .pre_vote = message.pre_vote});
            break;
        case US_APPEND_REQUEST:
            send_append(message);
            break;
        case US_APPEND_RESULT: {
            AppendResult result{.term = message_term,
                                .rejected = {message.rejected},
                                .last_index = index,
                                .capacity = message.capacity};
            if (installing_ && guards_.on(Guard::offered_checkpoint)) {
                result.rejected = {};  // It only says that this server is alive.
                result.last_index = {};
            }
            if (guards_.on(Guard::short_hints) && term_at(result.rejected).value != 0) {
                // The entry is there with another term, so no entry of that term can be right.
                const Index before{us_engine_term_begins(engine_.get(), message.rejected) - 1};
                result.last_index = std::min(std::max(before, commit_), result.last_index);
            }
            send(to, result);
            break;
        }
        case US_INSTALL_REQUEST:
            US_ASSERT(snapshot_ && snapshot_->index == index);
            offers_[to] = {.index = index, .term = index_term};
            send(to, InstallRequest{.term = message_term, .snapshot = *snapshot_});
            break;
        case US_TIMEOUT_NOW:
            send(to,
                 TimeoutNow{.term = message_term, .last_index = index, .last_term = index_term});
            break;
    }
}

void RaftCore::send_append(const us_message& message) {
    AppendRequest request{.term = {message.term},
                          .prev_index = {message.index},
                          .prev_term = {message.index_term},
                          .leader_commit = {message.commit},
                          .count = 0,
                          .entries = {}};
    std::uint64_t left = message.n;
    if (left > 0) offers_.erase({message.peer});
    name_offer({message.peer}, request);
    do {
        std::uint64_t count = std::min<std::uint64_t>(left, entries_per_message_max);
        if (guards_.on(Guard::lone_configuration)) {
            const auto next = configurations_.upper_bound(request.prev_index);
            if (next != configurations_.end()) {
                const std::uint64_t before = next->first.value - request.prev_index.value - 1;
                count = std::min(count, std::max<std::uint64_t>(before, 1));
            }
        }
        request.count = static_cast<std::uint32_t>(count);
        send({message.peer}, request);
        left -= count;
        request.prev_index.value += count;
        if (left > 0) request.prev_term = term_at(request.prev_index);
    } while (left > 0);
}

// While a server installs a checkpoint, the engine's heartbeats name the newest checkpoint. But an
// answer is understood only if it is about the checkpoint that was offered. So the heartbeat names
// that one.
void RaftCore::name_offer(ServerId to, AppendRequest& heartbeat) {
    const auto offer = offers_.find(to);
    if (offer == offers_.end() || !guards_.on(Guard::offered_checkpoint)) return;
    if (heartbeat.prev_index.value != us_engine_snapshot_index(engine_.get())) {
        offers_.erase(offer);  // The offer is over.
        return;
    }
    heartbeat.prev_index = offer->second.index;
    heartbeat.prev_term = offer->second.term;
}

Result<void> RaftCore::collect_commit() {
    const bool early = planted(Plant::told_before_committed) && state() == State::leader;
    const Index now = early ? last() : Index{us_engine_commit(engine_.get())};
    // While a checkpoint is being fetched, the engine's commit index includes entries that are not
    // there yet.
    if (installing_ || now <= commit_) return {};
    const Index before = commit_;
    commit_ = now;
    effects_.push_back(CommitTo{.index = now});
    if (!guards_.on(Guard::committed_configuration)) return {};

    std::vector<Index> committed;
    for (auto it = configurations_.upper_bound(before);
         it != configurations_.end() && it->first <= now; ++it) {
        committed.push_back(it->first);
    }
    for (const Index index : committed) {
        Converted converted;
        US_CHECK(
            collect(us_engine_configuration(engine_.get(), now_ms_, index.value,
                                            converted.configuration(configurations_.at(index)))));
    }
    return {};
}

// A leader knows what is committed only when an entry of its own term is committed. Until then it
// must not change the configuration or answer reads. The engine adds such an entry only in some
// cases.
Result<void> RaftCore::begin_term() {
    if (term_at(last()) == term() || planted(Plant::no_barrier)) return {};
    std::vector<LogEntry> barrier(1);
    barrier[0].kind = EntryKind::barrier;
    return submit(barrier);
}

void RaftCore::collect_state() {
    const StateChanged now{.state = state(), .term = term(), .leader = leader()};
    if (now.state == told_.state && now.term == told_.term && now.leader == told_.leader) return;
    if (now.state != State::leader) offers_.clear();
    told_ = now;
    effects_.push_back(now);
}

}  // namespace understudy::raft
