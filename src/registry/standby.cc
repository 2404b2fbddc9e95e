#include "registry/standby.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "registry/answers.h"
#include "registry/time.h"
#include "wire/control.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

Standby::Effects Standby::greeted(TimePoint now, SessionId session, const pb::Hello& hello) {
    Effects out;
    const bool knows = state_.founded();
    if (!hello.family().empty()) {
        out.push_back(Refuse{session,
                             {.code = Errc::refused,
                              .detail = "this is a registry, not a member of " + hello.family()}});
    } else if (knows && !hello.platform().empty() && hello.platform() != state_.platform()) {
        out.push_back(Refuse{session,
                             {.code = Errc::refused,
                              .detail = fmt::format("this is platform {}, not {}",
                                                    state_.platform(), hello.platform())}});
    } else if (hello.any_node()) {
        if (readers_.size() >= readers_max) {
            out.push_back(
                Refuse{session,
                       {.code = Errc::limit_exceeded,
                        .detail = fmt::format("{} connections to this node", readers_max)}});
            return out;
        }
        readers_.insert(session);
        out.push_back(Greet{session, welcome(), false});
    } else if (decided_for(hello) || held_.size() >= held_max) {
        out.push_back(Greet{session, welcome(), true});
    } else {
        held_.emplace(session, Held{hello, now + options_.hold_max});
    }
    return out;
}

bool Standby::decided_for(const pb::Hello& hello) const {
    return !active_.empty() && active_ != hello.lost_node();
}

pb::Welcome Standby::welcome() const {
    pb::Welcome welcome;
    welcome.set_platform(state_.platform());
    welcome.set_peer(options_.name);
    welcome.set_registry_id(state_.registry_id());
    tell_nodes(nodes_, welcome);
    welcome.set_active_node(active_);
    welcome.set_not_active(true);
    if (active_.empty()) welcome.set_reason(journal_.waiting());
    return welcome;
}

Result<Standby::Effects> Standby::received(TimePoint now, SessionId session, MessageType type,
                                           Bytes body) {
    Effects out;
    if (!readers_.contains(session)) return out;  // It was redirected in this turn.
    switch (type) {
        case MessageType::heartbeat:
            out.push_back(
                Send{session, MessageType::heartbeat_ack, Buffer(body.begin(), body.end())});
            return out;
        case MessageType::ask: {
            const auto ask = US_TRY(wire::decode_as<pb::Ask>(body));
            Send send{session, MessageType::answer, {}};
            (void)wire::encode(answer(now, ask), send.body);
            out.push_back(std::move(send));
            return out;
        }
        default:
            return Error{.code = Errc::corrupt,
                         .detail = fmt::format("message type {} to a registry node that is not "
                                               "active",
                                               static_cast<unsigned>(type))};
    }
}

pb::Answer Standby::answer(TimePoint now, const pb::Ask& ask) const {
    pb::Answer answer;
    answer.set_request(ask.request());
    if (ask.has_lookup() && ask.lookup().cached()) {
        look_up(now, ask.lookup(), answer);
    } else if (ask.has_platform()) {
        pb::PlatformInfo& info = *answer.mutable_platform();
        fill_platform(state_, info);
        info.set_sessions(readers_.size());
        info.set_version(options_.version);
        *info.mutable_journal() = journal_;
    } else {
        *answer.mutable_failure() = wire::to_failure(
            {.code = Errc::not_active,
             .detail = fmt::format("registry node {} is not active{}{}", options_.name,
                                   journal_.waiting().empty() ? "" : ": ", journal_.waiting())});
    }
    return answer;
}

/// A client that says which revision it has seen gets no older answer.
void Standby::look_up(TimePoint now, const pb::LookupAsk& ask, pb::Answer& answer) const {
    if (!state_.founded() || state_.revision().value < ask.min_revision()) {
        *answer.mutable_failure() = wire::to_failure(
            {.code = Errc::unavailable,
             .detail = fmt::format("registry node {} has revision {}, asked for is {}",
                                   options_.name, state_.revision().value, ask.min_revision())});
        return;
    }
    pb::LookupAnswer& lookup = *answer.mutable_lookup();
    fill_lookup(state_, ask.family(), lookup);
    lookup.set_age_ms(to_ms(std::max(now - heard_, Duration::zero())));
    lookup.set_node(options_.name);
    lookup.set_cached(true);
}

void Standby::closed(SessionId session) {
    held_.erase(session);
    readers_.erase(session);
}

Standby::Effects Standby::active_changed(TimePoint, const std::string& active) {
    active_ = active;
    Effects out;
    for (auto row = held_.begin(); row != held_.end();) {
        const auto held = row++;
        if (!decided_for(held->second.hello)) continue;
        out.push_back(Greet{held->first, welcome(), true});
        held_.erase(held);
    }
    return out;
}

Standby::Effects Standby::tick(TimePoint now) {
    Effects out;
    for (auto row = held_.begin(); row != held_.end();) {
        const auto held = row++;
        if (now < held->second.until) continue;
        out.push_back(Greet{held->first, welcome(), true});
        held_.erase(held);
    }
    return out;
}

TimePoint Standby::next_deadline() const {
    TimePoint next = TimePoint::max();
    for (const auto& [session, held] : held_) next = std::min(next, held.until);
    return next;
}

std::map<SessionId, pb::Hello> Standby::let_in() {
    std::map<SessionId, pb::Hello> hellos;
    for (auto& [session, held] : held_) hellos.emplace(session, std::move(held.hello));
    held_.clear();
    return hellos;
}

}  // namespace understudy::registry
