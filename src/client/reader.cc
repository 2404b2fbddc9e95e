#include "client/reader.h"

#include <utility>

#include "wire/control.h"

namespace understudy::client {

namespace pb = wire::pb;
using wire::MessageType;

namespace {

constexpr Duration behind_retry = 50ms;  // Until a node with too low a revision is asked again.

}  // namespace

Reader::Reader(Runtime& runtime, Log& log, RegistryLink::Options options, pb::Hello hello,
               const LookedUp& looked_up)
    : runtime_(runtime),
      looked_up_(looked_up),
      link_(runtime, log, std::move(options), std::move(hello), *this) {
    link_.start();
}

void Reader::ask(pb::Ask ask, Duration timeout, Answered answered) {
    if (questions_.size() >= questions_max) {
        runtime_.post([answered = std::move(answered)] {
            answered(Error{.code = Errc::limit_exceeded, .detail = "too many lookups in flight"});
        });
        return;
    }
    const std::uint64_t request = ++request_last_;
    ask.set_request(request);
    Question& question = questions_[request];
    question.ask = std::move(ask);
    question.answered = std::move(answered);
    question.timer = runtime_.at(runtime_.now() + timeout, [this, request] {
        Error late{.code = Errc::timed_out, .detail = "no node of the registry answered in time"};
        if (!link_.up()) late.detail += " (" + link_.last_error().detail + ")";
        settle(request, std::move(late));
    });
    send(request);
}

void Reader::stop() {
    questions_.clear();
    link_.stop();
}

void Reader::send(std::uint64_t request) {
    const auto found = questions_.find(request);
    if (found == questions_.end()) return;
    pb::Ask& ask = found->second.ask;
    if (ask.has_lookup()) ask.mutable_lookup()->set_min_revision(looked_up_.revision);
    (void)link_.send(MessageType::ask, ask);
}

void Reader::settle(std::uint64_t request, Result<pb::Answer> answer) {
    const auto found = questions_.find(request);
    if (found == questions_.end()) return;
    const Answered answered = std::move(found->second.answered);
    questions_.erase(found);
    answered(std::move(answer));
}

void Reader::registry_up(const pb::Welcome&) {
    for (const auto& [request, question] : questions_) send(request);
}

void Reader::registry_message(MessageType type, Bytes body) {
    if (type != MessageType::answer) return;
    auto answer = wire::decode_as<pb::Answer>(body);
    if (!answer) return;
    const std::uint64_t request = answer->request();
    const auto found = questions_.find(request);
    if (found == questions_.end()) return;
    if (!answer->has_failure()) return settle(request, std::move(answer));
    const Error failure = wire::from_failure(answer->failure());
    if (failure.code != Errc::unavailable) return settle(request, failure);
    // The node will have a higher revision soon: it is asked again until the deadline.
    found->second.again =
        runtime_.at(runtime_.now() + behind_retry, [this, request] { send(request); });
}

}  // namespace understudy::client
