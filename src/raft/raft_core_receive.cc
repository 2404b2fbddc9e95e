// Input: each message is checked, and changed or dropped where the engine would make an error.
#include "base/errors.h"
#include "consensus/configuration.h"
#include "consensus/message.h"
#include "raft/convert.h"
#include "raft/raft_core.h"

namespace understudy::raft {

using namespace consensus;

namespace {

us_message message_from(ServerId from, us_message_type type, Epoch term) {
    us_message message{};
    message.type = type;
    message.peer = from.value;
    message.term = term.value;
    return message;
}

}  // namespace

Result<void> RaftCore::on(Receive& event) {
    if (event.from.value == 0 || event.from == options_.id) return corrupt("message from nobody");
    US_CHECK(consensus::check(event.message));
    return std::visit([&](auto& message) { return receive(event.from, message); }, event.message);
}

Result<void> RaftCore::receive(ServerId from, VoteRequest& request) {
    if (request.candidate != from) return corrupt("a vote asked for another");
    const bool behind = request.last_term < term_at(last()) ||
                        (request.last_term == term_at(last()) && request.last_index < last());
    // A request with an empty position comes from no candidate: it only tells a term.
    if (behind && request.last_index.value != 0 && leader().value == 0) needed_ = !electable_;

    const Epoch term_before = term();
    us_message message = message_from(from, US_VOTE_REQUEST, request.term);
    message.index = request.last_index.value;
    message.index_term = request.last_term.value;
    message.flag = request.disrupt_leader;
    message.pre_vote = request.pre_vote;
    // The log of this server may end before the entry that made it a voter, and the candidate may
    // need its vote. The candidate's configuration decides which votes count.
    const us_result result = guards_.on(Guard::unaware_voter)
                                 ? us_engine_receive_as_voter(engine_.get(), now_ms_, &message)
                                 : us_engine_receive(engine_.get(), now_ms_, &message);
    US_CHECK(collect(result));
    if (guards_.on(Guard::taught_term) && request.pre_vote && request.term < term_before) {
        send(from,
             VoteRequest{
                 .term = term(), .candidate = options_.id, .last_index = {}, .last_term = {}});
    }
    return {};
}

Result<void> RaftCore::receive(ServerId from, VoteResult& result) {
    if (guards_.on(Guard::vote_results) && state() != State::candidate) return {};
    if (!is_voter(configuration(), from)) return {};
    us_message message = message_from(from, US_VOTE_RESULT, result.term);
    message.flag = result.granted;
    message.pre_vote = result.pre_vote;
    return collect(us_engine_receive(engine_.get(), now_ms_, &message));
}

// The engine answers a request of an older term with a number that it never set. If the request has
// no previous entry, the answer looks like consent, and a later leader would count it.
Result<bool> RaftCore::is_stale(ServerId from, Epoch request_term, Index refused) {
    if (request_term == term() && state() == State::leader) return corrupt("a second leader");
    if (request_term >= term() || !guards_.on(Guard::stale_requests)) return false;
    send(from, AppendResult{.term = term(),
                            .rejected = std::max(refused, Index{1}),
                            .last_index = {},
                            .capacity = 0});
    return true;
}

Result<void> RaftCore::receive(ServerId from, AppendRequest& request) {
    if (US_TRY(is_stale(from, request.term, request.prev_index))) return {};

    const Index offset{us_engine_offset(engine_.get())};
    const Index covered{us_engine_snapshot_index(engine_.get())};
    if (guards_.on(Guard::compacted_prefix) && request.prev_index <= offset &&
        request.prev_index < covered) {
        // All these entries are committed, so the sender has the same ones. The term of the entry
        // before the first is not known here.
        const std::size_t known = std::min<std::size_t>(
            request.entries.size(),
            static_cast<std::size_t>(covered.value - request.prev_index.value));
        request.entries.erase(request.entries.begin(),
                              request.entries.begin() + static_cast<std::ptrdiff_t>(known));
        request.prev_index = covered;
        request.prev_term = {us_engine_snapshot_term(engine_.get())};
    }
    const Index last_new{request.prev_index.value + request.entries.size()};
    const Index engine_commit{us_engine_commit(engine_.get())};
    if (guards_.on(Guard::steady_commit) && last_new < engine_commit) {
        request.leader_commit = std::min(request.leader_commit, engine_commit);
    }

    Converted converted;
    us_message message = message_from(from, US_APPEND_REQUEST, request.term);
    message.index = request.prev_index.value;
    message.index_term = request.prev_term.value;
    message.commit = request.leader_commit.value;
    message.n = static_cast<unsigned>(request.entries.size());
    message.entries = US_TRY(converted.entries(request.entries));
    if (request.term >= term()) {
        leader_term_ = request.term;
        needed_ = false;
    }
    return collect(us_engine_receive(engine_.get(), now_ms_, &message),
                   {.first = request.prev_index.next(), .entries = &request.entries});
}

Result<void> RaftCore::receive(ServerId from, AppendResult& result) {
    if (state() != State::leader || find(configuration(), from) == nullptr) return {};
    const auto offer = offers_.find(from);
    if (offer != offers_.end() && result.rejected.value == 0 &&
        result.last_index >= offer->second.index) {
        offers_.erase(offer);
    }
    us_message message = message_from(from, US_APPEND_RESULT, result.term);
    message.rejected = result.rejected.value;
    message.index = result.last_index.value;
    message.capacity = result.capacity;
    if (guards_.on(Guard::old_rejections) && result.term == term() && result.rejected.value != 0) {
        const Index known = match(from);
        if (result.rejected <= known) {
            message.rejected = 0;  // It is still an answer: the server is there.
            message.index = known.value;
        } else if (result.last_index < known) {
            message.index = known.value;
        }
    }
    return collect(us_engine_receive(engine_.get(), now_ms_, &message));
}

Result<void> RaftCore::receive(ServerId from, InstallRequest& request) {
    if (US_TRY(is_stale(from, request.term, Index{1}))) return {};
    SnapshotRef& snapshot = request.snapshot;
    if (installing_) {
        const SnapshotRef& current = installing_->snapshot;
        if (snapshot.index < current.index) return {};
        if (snapshot.index == current.index) {
            if (snapshot.term == current.term && installing_->from != from) {
                installing_ = InstallSnapshot{.from = from, .snapshot = std::move(snapshot)};
                effects_.push_back(*installing_);
            }
            return {};
        }
        us_engine_interrupt_install(engine_.get());
        installing_.reset();
    } else if (snapshot.index <= commit_ && term_at(snapshot.index).value != 0 &&
               term_at(snapshot.index) != snapshot.term) {
        return corrupt("a checkpoint that contradicts what is committed");
    }

    Converted converted;
    us_message message = message_from(from, US_INSTALL_REQUEST, request.term);
    message.snapshot = converted.snapshot(snapshot);
    leader_term_ = request.term;
    needed_ = false;
    const us_result result = us_engine_receive(engine_.get(), now_ms_, &message);
    if (result == US_OK && us_engine_install_wanted(engine_.get())) {
        installing_ = InstallSnapshot{.from = from, .snapshot = std::move(snapshot)};
        writes_.cut(Index{1});
    }
    US_CHECK(collect(result));
    if (installing_) effects_.push_back(*installing_);
    return {};
}

Result<void> RaftCore::receive(ServerId from, TimeoutNow& now) {
    us_message message = message_from(from, US_TIMEOUT_NOW, now.term);
    message.index = now.last_index.value;
    message.index_term = now.last_term.value;
    return collect(us_engine_receive(engine_.get(), now_ms_, &message));
}

}  // namespace understudy::raft
