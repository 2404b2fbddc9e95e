#include "registry/agents/sessions.h"

#include <fmt/format.h>

namespace understudy::registry {

Result<void> Sessions::may_open() const {
    if (sessions_.size() < size_max) return {};
    return Error{.code = Errc::limit_exceeded,
                 .detail = fmt::format("{} connections to this registry", size_max)};
}

void Sessions::opened(Turn& turn, SessionId id, const wire::pb::Hello& hello) {
    US_ASSERT(id.value != 0 && !sessions_.contains(id));
    const Incarnation incarnation{hello.incarnation()};
    sessions_.emplace(id, Session{hello.agent(), incarnation, hello.process()});
    const auto agent = agents_.find(incarnation);
    if (agent == agents_.end()) return;
    if (agent->second.value != 0) turn.out.push_back(Close{agent->second});
    agent->second = id;
}

std::optional<Incarnation> Sessions::closed(SessionId id) {
    const auto session = sessions_.extract(id);
    if (session.empty()) return std::nullopt;
    const auto agent = agents_.find(session.mapped().incarnation);
    if (agent == agents_.end() || agent->second != id) return std::nullopt;
    agent->second = {};
    return agent->first;
}

void Sessions::bind(SessionId id) { agents_[at(id).incarnation] = id; }

void Sessions::cut(Turn& turn, Incarnation agent) {
    const auto session = of(agent);
    if (!session) return;
    turn.out.push_back(Close{*session});
    agents_[agent] = {};
}

const Sessions::Session* Sessions::find(SessionId id) const {
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : &found->second;
}

std::optional<SessionId> Sessions::of(Incarnation agent) const {
    const auto found = agents_.find(agent);
    if (found == agents_.end() || found->second.value == 0) return std::nullopt;
    return found->second;
}

void Sessions::check_invariants() const {
    US_ASSERT(sessions_.size() <= size_max);
    for (const auto& [incarnation, session] : agents_) {
        if (session.value != 0) US_ASSERT(sessions_.contains(session));
    }
}

}  // namespace understudy::registry
