#include "hosting/submitter.h"

namespace understudy::hosting {

void Submitter::pass_on(const std::optional<Request>& request, Bytes command,
                        replica::Answered answered) {
    if (request) {
        replica_->submit(*request, command, std::move(answered));
    } else {
        replica_->submit(command, std::move(answered));
    }
}

Result<void> Submitter::check_room() const {
    if (!holding_ || waiting_.size() < held_max) return {};
    return Error{.code = Errc::limit_exceeded, .detail = service_ + " is being handed over"};
}

void Submitter::hold(std::function<void()> held) {
    holding_ = true;
    held_ = std::move(held);
    runtime_.post(life_.guarded([this] { look(); }));
}

void Submitter::release() {
    if (!std::exchange(holding_, false)) return;
    held_ = nullptr;
    for (Waiting& each : std::exchange(waiting_, {})) {
        pass_on(each.request, each.command, std::move(each.answered));
    }
}

void Submitter::refuse(const Error& error) {
    holding_ = false;
    held_ = nullptr;
    for (Waiting& each : std::exchange(waiting_, {})) {
        runtime_.post(
            life_.guarded([answered = std::move(each.answered), error] { answered(error); }));
    }
}

void Submitter::look() {
    if (!holding_ || !held_ || under_way_ > waiting_.size()) return;
    std::exchange(held_, nullptr)();
}

}  // namespace understudy::hosting
