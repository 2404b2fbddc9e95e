#include "hosting/replica_client.h"

#include <utility>

namespace understudy::hosting {

using wire::MessageType;

namespace {

/// True if another member, or the same one later, may answer the request in another way.
[[nodiscard]] bool worth_another_try(const Error& error) {
    switch (error.code) {
        case Errc::not_active:
        case Errc::closed:
        case Errc::unavailable:
        case Errc::timed_out:
        case Errc::stale_epoch:
        case Errc::disk_failed:
        case Errc::no_such_file:
            return true;
        case Errc::limit_exceeded:
            return error.effect == Effect::none;
        default:
            return false;
    }
}

}  // namespace

ReplicaClient::ReplicaClient(Runtime& runtime, Log& log, Options options, Locator& locator)
    : runtime_(runtime),
      options_(std::move(options)),
      session_(options_.session),
      next_(options_.next),
      link_(runtime, log, {.service = options_.service, .tls = options_.tls}, locator,
            static_cast<ActiveLink::Owner&>(*this)) {
    await();
    link_.start();
}

ReplicaClient::~ReplicaClient() { life_.end(); }

void ReplicaClient::answer_later(Answered answered, Error error) {
    runtime_.post(life_.guarded([answered = std::move(answered), error = std::move(error)] {
        if (answered) answered(error);
    }));
}

RequestNo ReplicaClient::submit(Bytes command, Answered answered) {
    Result<void> checked;
    if (over_) {
        checked = *over_;
    } else if (command.size() > request_bytes_max) {
        checked = Error{.code = Errc::limit_exceeded, .detail = "the command is too long"};
    } else if (bytes_ + command.size() > outstanding_bytes_max) {
        checked = Error{.code = Errc::limit_exceeded,
                        .detail = options_.service + " has not answered what was submitted before"};
    }
    if (!checked) {
        answer_later(std::move(answered), checked.error());
        return {};
    }
    const RequestNo number = next_;
    next_ = next_.next();
    bytes_ += command.size();
    if (!answered) answered = [](const Result<Bytes>&) {};
    pending_.push_back({.number = number,
                        .command = Buffer(command.begin(), command.end()),
                        .answered = std::move(answered)});
    send();
    await();
    return number;
}

void ReplicaClient::send() {
    link::Link* const link = link_.link();
    if (link == nullptr) return;
    while (sent_ < pending_.size() && sent_ < window_max && !link->full()) {
        const Pending& each = pending_[sent_++];
        if (each.reply) continue;
        const Buffer head = encode_head(SubmitMessage{
            .number = each.number, .answered = {pending_.front().number.value - 1}, .command = {}});
        const Bytes parts[] = {head, each.command};
        US_ASSERT(link->send(MessageType::request, parts));
    }
}

void ReplicaClient::outcome(RequestNo number, Told told) {
    Error refusal{.code = Errc::bad_config, .detail = "the request is still under way here"};
    if (over_) refusal = *over_;
    const bool here = !pending_.empty() && number >= pending_.front().number && number < next_;
    if (over_ || here || number.value == 0 || outcomes_.contains(number)) {
        return runtime_.post(life_.guarded(
            [told = std::move(told), refusal = std::move(refusal)] { told(refusal); }));
    }
    outcomes_.emplace(number, std::move(told));
    if (link::Link* const link = link_.link()) {
        (void)link->send(MessageType::outcome_ask, encode_outcome(number));
    }
    await();
}

void ReplicaClient::await() {
    link_.await(!pending_.empty() || !outcomes_.empty() || session_.value == 0);
}

void ReplicaClient::on_session(std::function<void(SessionId)> opened) {
    if (session_.value != 0) return opened(session_);
    on_session_.push_back(std::move(opened));
}

void ReplicaClient::close(std::function<void()> done) {
    if (link::Link* const link = link_.link()) {
        (void)link->send(MessageType::session_end, Bytes{});
    }
    link_.finish(std::move(done));
}

// --- What the active member says -----------------------------------------------------------------

Buffer ReplicaClient::link_hello() {
    return encode(
        RequestHello{.service = options_.service, .session = session_, .epoch = link_.epoch()});
}

Result<ActiveLink::Greeting> ReplicaClient::link_greeting(Bytes opaque) {
    const RequestGreeting greeting = US_TRY(decode_request_greeting(opaque));
    if (const auto* elsewhere = std::get_if<RequestElsewhere>(&greeting)) {
        return ActiveLink::Greeting(ActiveLink::Elsewhere{{.member = elsewhere->member,
                                                           .address = elsewhere->address,
                                                           .epoch = elsewhere->epoch}});
    }
    const auto& welcome = std::get<RequestWelcome>(greeting);
    return ActiveLink::Greeting(
        ActiveLink::Active{.member = welcome.member, .epoch = welcome.epoch});
}

void ReplicaClient::link_up(Bytes welcome) {
    if (session_.value == 0) {
        session_ = std::get<RequestWelcome>(*decode_request_greeting(welcome)).session;
    }
    trouble_.reset();
    sent_ = 0;
    send();
    for (const auto& [number, told] : outcomes_) {
        (void)link_.link()->send(MessageType::outcome_ask, encode_outcome(number));
    }
    await();
    for (const auto& opened : std::exchange(on_session_, {})) opened(session_);
}

void ReplicaClient::link_refused(const Error& reason) { trouble_ = reason; }

Result<void> ReplicaClient::link_message(MessageType type, Bytes body) {
    if (type == MessageType::request_answer) return take_answer(body);
    if (type == MessageType::outcome) return take_outcome(body);
    return Error{.code = Errc::corrupt, .detail = "no message of a replica"};
}

Result<void> ReplicaClient::take_answer(Bytes body) {
    AnswerMessage message = US_TRY(decode_answer(body));
    if (pending_.empty() || message.number < pending_.front().number) return {};
    const std::size_t place = message.number.value - pending_.front().number.value;
    if (place >= sent_) {
        return Error{.code = Errc::corrupt, .detail = "an answer to what was never asked"};
    }
    Pending& pending = pending_[place];
    if (pending.reply) return {};
    if (message.error && worth_another_try(*message.error)) return *message.error;
    if (message.error && message.error->code == Errc::session_expired) {
        expire(*message.error);
        return {};
    }
    if (message.error) {
        pending.reply = *std::move(message.error);
    } else {
        pending.reply = Buffer(message.reply.begin(), message.reply.end());
    }
    deliver();
    return {};
}

/// Answers may arrive in another order: a member may answer a request that was carried out earlier
/// after one that it carries out now. `this` may be destroyed within.
void ReplicaClient::deliver() {
    const Lifetime::Watch here = life_.watch();
    while (!pending_.empty() && pending_.front().reply) {
        Pending first = std::move(pending_.front());
        pending_.pop_front();
        if (sent_ > 0) --sent_;
        bytes_ -= first.command.size();
        if (*first.reply) {
            first.answered(Bytes(**first.reply));
        } else {
            first.answered(first.reply->error());
        }
        if (here.ended()) return;
    }
    send();
    await();
}

Result<void> ReplicaClient::take_outcome(Bytes body) {
    AnswerMessage message = US_TRY(decode_answer(body));
    const auto found = outcomes_.find(message.number);
    if (found == outcomes_.end()) return {};
    if (message.error && worth_another_try(*message.error)) return *message.error;
    const Told told = std::move(found->second);
    outcomes_.erase(found);
    await();
    if (message.error) {
        told(*std::move(message.error));
    } else {
        told(Outcome{.fate = message.fate, .reply = message.reply});
    }
    return {};
}

/// `this` may be destroyed within.
void ReplicaClient::expire(const Error& reason) {
    over_ = Error{.code = reason.code, .effect = Effect::unknown, .detail = reason.detail};
    const Lifetime::Watch here = life_.watch();
    const Error told = *over_;
    sent_ = 0;
    bytes_ = 0;
    auto pending = std::exchange(pending_, {});
    auto outcomes = std::exchange(outcomes_, {});
    await();
    for (const Pending& each : pending) {
        each.answered(told);
        if (here.ended()) return;
    }
    for (const auto& [number, each] : outcomes) {
        each(told);
        if (here.ended()) return;
    }
}

}  // namespace understudy::hosting
