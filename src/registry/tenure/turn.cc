#include "registry/tenure/turn.h"

namespace understudy::registry {

namespace pb = wire::pb;

void Turn::answer(SessionId to, std::uint64_t request, pb::Answer answer) {
    answer.set_request(request);
    send(to, wire::MessageType::answer, answer);
}

void Turn::fail(SessionId to, std::uint64_t request, const Error& error) {
    pb::Answer failed;
    *failed.mutable_failure() = wire::to_failure(error);
    answer(to, request, std::move(failed));
}

void Turn::propose(Proposal proposal, pb::RegistryCommand command, Urgency urgency) {
    if (proposal.since == TimePoint()) proposal.since = now;
    const auto token = pending.add(proposal);
    if (!token) return crowded_out.push_back(std::move(proposal));
    command.set_wall_ms(wall_ms);
    Buffer body;
    (void)wire::encode(command, body);
    out.push_back(Propose{*token, std::move(body), urgency == Urgency::urgent});
}

}  // namespace understudy::registry
