// The registry's machine: switchovers of services whose journal says who is active.
//
// The successor catches up while clients notice nothing; then the active member drains; then the
// state designates the successor, which takes the journal over, or is given it. Whatever the
// journal decides meanwhile counts.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "registry/machine_turn.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

namespace {

[[nodiscard]] std::string entries(std::uint64_t count) {
    return fmt::format("{} {}", count, count == 1 ? "entry" : "entries");
}

}  // namespace

/// Errors: not_found, refused, unavailable (none).
Result<const Member*> Machine::successor(const Service& service, const std::string& wanted) const {
    const Member* from = service.active_member();
    const bool resort = service.config.last_resort() == 1;
    if (!wanted.empty()) {
        const Member* to = service.find(wanted);
        if (to == nullptr) {
            return Error{.code = Errc::not_found, .detail = "no member " + wanted};
        }
        if (to == from) {
            return Error{.code = Errc::refused, .detail = wanted + " is active already"};
        }
        if (!to->designation.electable && !resort) {
            return Error{.code = Errc::refused,
                         .detail = wanted + " is the checkpointer, and last_resort = never"};
        }
        if (!connected(to->incarnation)) {
            return Error{.code = Errc::unavailable, .detail = wanted + " is not connected"};
        }
        return to;
    }
    const Member* last = nullptr;
    bool checkpointer = false;
    for (const auto& [order, member] : service.line) {
        if (&member == from || !connected(member.incarnation)) continue;
        if (member.designation.electable) return &member;
        checkpointer = true;
        if (last == nullptr && resort) last = &member;
    }
    if (last != nullptr) return last;
    return Error{.code = Errc::unavailable,
                 .detail = checkpointer
                               ? "only the checkpointer is connected, and last_resort = never"
                               : "no standby is connected"};
}

void Machine::switch_journaled(Turn& turn, SessionId id, std::uint64_t request,
                               const pb::SwitchoverAsk& ask) {
    const Service& service = *state_.find(ask.family());
    const Member* from = service.active_member();
    if (from == nullptr) {
        return fail(turn, id, request, {.code = Errc::unavailable, .detail = "nobody is active"});
    }
    if (handings_.contains(ask.family())) {
        return fail(turn, id, request,
                    {.code = Errc::refused, .detail = "a switchover of it is under way"});
    }
    const auto to = successor(service, ask.to());
    if (!to) return fail(turn, id, request, to.error());
    if (!connected(from->incarnation)) {
        return fail(turn, id, request,
                    {.code = Errc::unavailable,
                     .detail = from->name + ", which is active, is not connected"});
    }
    handings_.emplace(ask.family(), Handing{.session = id,
                                            .request = request,
                                            .from = from->name,
                                            .to = (*to)->name,
                                            .epoch = service.epoch,
                                            .deadline = turn.now + options_.catch_up_limit,
                                            .stage = Handing::Stage::catching_up});
    send_drain(turn, ask.family(), (*to)->name,
               options_.catch_up_limit + options_.drain_limit + options_.take_limit);
}

/// To whom has the role: let go. To the successor: hold yourself ready.
void Machine::send_drain(Turn& turn, const std::string& family, const std::string& name,
                         Duration limit) {
    const Handing& handing = handings_.at(family);
    const Member* member = state_.find(family)->find(name);
    const auto agent = member == nullptr ? agents_.end() : agents_.find(member->incarnation);
    if (agent == agents_.end() || agent->second.session.value == 0) return;  // The deadline tells.
    pb::Drain drain;
    drain.set_family(family);
    drain.set_member(name);
    drain.set_epoch(handing.epoch.value);
    drain.set_limit_ms(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()));
    drain.set_successor(handing.to);
    turn.send(agent->second.session, MessageType::drain, drain);
}

void Machine::drained_journaled(Turn& turn, SessionId id, const pb::Drained& drained) {
    const auto found = handings_.find(drained.family());
    const Member* member = state_.find(drained.family())->find(drained.member());
    if (found == handings_.end() || found->second.epoch.value != drained.epoch() ||
        member == nullptr || member->incarnation != sessions_.at(id).incarnation) {
        return;
    }
    Handing& handing = found->second;
    if (drained.member() == handing.to) {
        handing.ready = true;
        return advance_journaled(turn, drained.family());
    }
    if (drained.member() != handing.from || handing.stage != Handing::Stage::draining ||
        handing.proposed) {
        return;
    }
    handing.proposed = true;
    handing.stage = Handing::Stage::taking;
    handing.deadline = turn.now + options_.take_limit;
    pb::RegistryCommand command;
    pb::HandOver& hand_over = *command.mutable_hand_over();
    hand_over.set_family(drained.family());
    hand_over.set_from(handing.from);
    hand_over.set_to(handing.to);
    hand_over.set_epoch(drained.epoch());
    propose(turn,
            {.kind = Pending::Kind::hand_over,
             .session = {},
             .agent = {},
             .family = drained.family(),
             .member = {},
             .since = turn.now},
            std::move(command), false);
}

/// How far the successor is behind what the active member has said last; empty: not at all.
std::string Machine::lag_of(const std::string& family, const Handing& handing) const {
    const auto from = reported_.find({family, handing.from});
    const auto to = reported_.find({family, handing.to});
    if (from == reported_.end() || to == reported_.end()) return "has not said how far it is";
    const std::uint64_t has = to->second.said.applied();
    const std::uint64_t wants = from->second.said.applied();
    return has >= wants ? std::string() : fmt::format("is {} behind", entries(wants - has));
}

void Machine::advance_journaled(Turn& turn, const std::string& family) {
    const auto found = handings_.find(family);
    if (found == handings_.end()) return;
    Handing& handing = found->second;
    if (handing.stage != Handing::Stage::catching_up || !handing.ready) return;
    if (!lag_of(family, handing).empty()) return;
    handing.stage = Handing::Stage::draining;
    handing.deadline = turn.now + options_.drain_limit;
    send_drain(turn, family, handing.from, options_.drain_limit);
}

/// After any change of the service: has the journal decided?
void Machine::settle_journaled(Turn& turn, const Pending& pending) {
    const std::string& family = pending.family;
    const auto found = handings_.find(family);
    if (found == handings_.end()) return;
    const Handing& handing = found->second;
    const Service& service = *state_.find(family);
    const Member* active = service.active_member();
    const auto end = [&](Errc code, std::string detail) {
        end_handing(turn, family, Error{.code = code, .detail = std::move(detail)});
    };
    if (service.epoch > handing.epoch) {
        const bool asked = !service.story.empty() &&
                           service.story.back().epoch() == service.epoch.value &&
                           service.story.back().cause() ==
                               static_cast<std::uint32_t>(role::Cause::switchover);
        if (active != nullptr && active->name == handing.to && asked) {
            return end_handing(turn, family, std::nullopt);
        }
        return end(Errc::refused,
                   fmt::format("a failover came before it: {} is active",
                               active == nullptr ? "nobody" : active->name));
    }
    if (service.find(handing.from) == nullptr) {
        return end(Errc::refused,
                   fmt::format("the active member, {}, ended during the switchover: that is a "
                               "failover",
                               handing.from));
    }
    if (service.find(handing.to) == nullptr) {
        return end(Errc::unavailable,
                   fmt::format("{} ended during the switchover; {} goes on", handing.to,
                               handing.from));
    }
    if (pending.kind == Pending::Kind::call_off) {
        end_handing(turn, family,
                    Error{.code = Errc::timed_out,
                          .effect = understudy::Effect::unknown,
                          .detail = fmt::format("{} did not become active in time; {} goes on",
                                                handing.to, handing.from)});
    }
}

void Machine::overdue_journaled(Turn& turn, const std::string& family) {
    Handing& handing = handings_.at(family);
    switch (handing.stage) {
        case Handing::Stage::catching_up:
            return end_handing(
                turn, family,
                Error{.code = Errc::timed_out,
                      .detail = handing.ready
                                    ? fmt::format("{} {} and did not catch up in time; {} goes on",
                                                  handing.to, lag_of(family, handing), handing.from)
                                    : fmt::format("{} did not answer in time; {} goes on",
                                                  handing.to, handing.from)});
        case Handing::Stage::draining:
            return end_handing(turn, family,
                               Error{.code = Errc::timed_out,
                                     .detail = handing.from +
                                               " did not drain in time; nothing changed"});
        case Handing::Stage::taking:
            break;
    }
    const Service& service = *state_.find(family);
    const Member* active = service.active_member();
    if (active != nullptr && active->name == handing.from) return call_off(turn, family);
    end_handing(turn, family,
                Error{.code = Errc::timed_out,
                      .effect = understudy::Effect::unknown,
                      .detail = fmt::format("{} gave its role away, and {} has not taken it yet",
                                            handing.from, handing.to)});
}

void Machine::call_off(Turn& turn, const std::string& family) {
    Handing& handing = handings_.at(family);
    handing.deadline = turn.now + options_.take_limit;
    pb::RegistryCommand command;
    pb::HandOver& hand_over = *command.mutable_hand_over();
    hand_over.set_family(family);
    hand_over.set_from(handing.from);
    hand_over.set_to(handing.from);
    hand_over.set_epoch(handing.epoch.value);
    propose(turn,
            {.kind = Pending::Kind::call_off,
             .session = {},
             .agent = {},
             .family = family,
             .member = {},
             .since = turn.now},
            std::move(command), true);
}

}  // namespace understudy::registry
