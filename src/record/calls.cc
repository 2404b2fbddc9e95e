#include "record/calls.h"

#include <fmt/format.h>

#include "base/plant.h"

namespace understudy::record {

namespace {

// The milliseconds until `deadline`, at least 1: 0 would mean that there is no deadline.
std::uint64_t left_ms(TimePoint deadline, TimePoint now) {
    if (deadline <= now) return 1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    return static_cast<std::uint64_t>(left.count());
}

}  // namespace

Result<CallId> CallTable::begin(Call call, TimePoint now, CallEffects& effects) {
    begin_command();
    US_CHECK(check_call_name(call.name));
    US_CHECK(check_arguments_size(call.arguments.size()));
    if (call.deadline <= now) {
        return Error{.code = Errc::timed_out, .detail = "call '" + call.name + "' was not begun"};
    }
    if (calls_.size() + parting_.size() >= calls_outstanding_max ||
        arguments_bytes_ + call.arguments.size() > arguments_outstanding_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} calls with {} bytes of arguments are outstanding",
                                           calls_.size(), arguments_bytes_)};
    }

    last_ = last_.next();
    arguments_bytes_ += call.arguments.size();
    deadlines_.emplace(call.deadline, last_);
    Entry& entry = calls_.emplace(last_, Entry{std::move(call)}).first->second;
    queue(last_, entry);
    if (ready_) send(last_, entry, effects);
    return last_;
}

void CallTable::cancel(CallId call) {
    begin_command();
    if (calls_.contains(call)) erase(call);
}

void CallTable::ready(Epoch epoch, TimePoint now, CallEffects& effects) {
    parting_.clear();
    expire(now, effects);
    ready_ = epoch;
    const std::vector<CallId> waiting(queued_.begin(), queued_.end());
    for (const CallId id : waiting) send(id, calls_.at(id), effects);
}

void CallTable::lost(TimePoint now, CallEffects& effects) {
    parting_.clear();
    expire(now, effects);
    ready_.reset();
    std::vector<CallId> sent;
    for (const auto& [id, entry] : calls_) {
        if (entry.state == State::sent) sent.push_back(id);
    }
    for (const CallId id : sent) {
        Entry& entry = calls_.at(id);
        // From here on it is not known whether it ran.
        entry.maybe_done = true;
        if (entry.call.repeat == Repeat::allowed || planted(Plant::sent_call_retried)) {
            queue(id, entry);
        } else {
            fail(id, Errc::unavailable, "the link to the active member was lost", effects);
        }
    }
}

void CallTable::reply(const RpcReply& reply, TimePoint now, CallEffects& effects) {
    expire(now, effects);
    const auto found = calls_.find(reply.call);
    if (found == calls_.end() || found->second.state != State::sent) return;
    Entry& entry = found->second;

    if (const auto* result = std::get_if<Bytes>(&reply.outcome)) {
        return finish(reply.call, Buffer(result->begin(), result->end()), effects);
    }
    Error error = std::get<Error>(reply.outcome);
    // It did not run there: it waits for the next active member.
    if (error.code == Errc::not_active && error.effect == Effect::none) {
        return queue(reply.call, entry);
    }
    if (entry.maybe_done) error.effect = Effect::unknown;
    finish(reply.call, std::move(error), effects);
}

void CallTable::expire(TimePoint now, CallEffects& effects) {
    begin_command();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const CallId id = deadlines_.begin()->second;
        Entry& entry = calls_.at(id);
        const bool waited = entry.state == State::queued;
        if (!waited) entry.maybe_done = true;
        fail(id, Errc::timed_out,
             waited ? "no active member accepted the call" : "the active member did not answer",
             effects);
    }
}

void CallTable::close(CallEffects& effects) {
    parting_.clear();
    ready_.reset();
    while (!calls_.empty()) {
        auto& [id, entry] = *calls_.begin();
        if (entry.state == State::sent) entry.maybe_done = true;
        fail(id, Errc::closed, "the proxy was closed", effects);
    }
}

RpcRequest CallTable::request(CallId call, TimePoint now) {
    auto& calls = calls_.contains(call) ? calls_ : parting_;
    const auto found = calls.find(call);
    US_ASSERT(found != calls.end());
    found->second.requested = true;
    const Call& asked = found->second.call;
    return RpcRequest{.call = call,
                      .answer = asked.answer,
                      .timeout_ms = left_ms(asked.deadline, now),
                      .epoch = ready_.value_or(Epoch{}),
                      .name = asked.name,
                      .arguments = asked.arguments};
}

std::optional<TimePoint> CallTable::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

void CallTable::queue(CallId id, Entry& entry) {
    entry.state = State::queued;
    queued_.insert(id);
}

void CallTable::send(CallId id, Entry& entry, CallEffects& effects) {
    US_ASSERT(entry.state == State::queued);
    US_ASSERT(ready_.has_value());
    queued_.erase(id);
    entry.state = State::sent;
    entry.requested = false;
    effects.emplace_back(std::in_place_type<SendCall>, id);
    if (entry.call.answer == Answer::unwanted) finish(id, Buffer(), effects);
}

void CallTable::fail(CallId id, Errc code, std::string detail, CallEffects& effects) {
    const Entry& entry = calls_.at(id);
    finish(id,
           Error{.code = code,
                 .effect = entry.maybe_done ? Effect::unknown : Effect::none,
                 .detail = "call '" + entry.call.name + "': " + std::move(detail)},
           effects);
}

void CallTable::finish(CallId id, Result<Buffer> outcome, CallEffects& effects) {
    erase(id);
    effects.emplace_back(std::in_place_type<FinishCall>, id, std::move(outcome));
}

void CallTable::erase(CallId id) {
    const auto found = calls_.find(id);
    US_ASSERT(found != calls_.end());
    const Entry& entry = found->second;
    US_ASSERT(arguments_bytes_ >= entry.call.arguments.size());
    arguments_bytes_ -= entry.call.arguments.size();
    deadlines_.erase({entry.call.deadline, id});
    queued_.erase(id);
    if (entry.state == State::sent && !entry.requested) {
        parting_.insert(calls_.extract(found));
    } else {
        calls_.erase(found);
    }
}

void CallTable::begin_command() {
    std::erase_if(parting_, [](const auto& each) { return each.second.requested; });
}

void CallTable::check_invariants() const {
    std::size_t bytes = 0;
    for (const auto& [id, entry] : calls_) {
        bytes += entry.call.arguments.size();
        US_ASSERT(id <= last_);
        US_ASSERT(queued_.contains(id) == (entry.state == State::queued));
        US_ASSERT(deadlines_.contains({entry.call.deadline, id}));
        US_ASSERT(!parting_.contains(id));
    }
    US_ASSERT(bytes == arguments_bytes_);
    US_ASSERT(queued_.size() <= calls_.size());
    US_ASSERT(deadlines_.size() == calls_.size());
    US_ASSERT(calls_.size() <= calls_outstanding_max);
}

}  // namespace understudy::record
