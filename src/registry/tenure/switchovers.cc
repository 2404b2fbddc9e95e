#include "registry/tenure/switchovers.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "registry/state/definition.h"
#include "registry/time.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

namespace {

[[nodiscard]] std::string entries(std::uint64_t count) {
    return fmt::format("{} {}", count, count == 1 ? "entry" : "entries");
}

[[nodiscard]] Error timed_out(std::string detail,
                              understudy::Effect effect = understudy::Effect::none) {
    return {.code = Errc::timed_out, .effect = effect, .detail = std::move(detail)};
}

/// The present epoch began by a switchover.
[[nodiscard]] bool was_asked_for(const Service& service) {
    return !service.story.empty() && service.story.back().epoch() == service.epoch.value &&
           static_cast<role::Cause>(service.story.back().cause()) == role::Cause::switchover;
}

}  // namespace

void Switchovers::start(TimePoint now) {
    for (const auto& [family, service] : state_.services()) {
        const pb::Switchover* known = service.election().switchover();
        if (known == nullptr) continue;
        rows_.emplace(family, Row{.from = known->from(),
                                  .to = known->to(),
                                  .epoch = Epoch{known->epoch()},
                                  .deadline = now + limits_.take,
                                  .stage = Stage::taking,
                                  .ready = true,
                                  .proposed = true});
    }
}

Result<void> Switchovers::ask(Turn& turn, SessionId session, std::uint64_t request,
                              const pb::SwitchoverAsk& ask) {
    const std::string& family = ask.family();
    const Service* service = state_.find(family);
    if (service == nullptr || service->line.empty()) {
        return Error{.code = Errc::not_found, .detail = "no service " + family};
    }
    if (service->redundancy() == Redundancy::load_balanced) {
        return Error{.code = Errc::refused, .detail = family + " is load_balanced: all are active"};
    }
    const Member* from = service->active_member();
    if (from == nullptr) return Error{.code = Errc::unavailable, .detail = "nobody is active"};
    if (rows_.contains(family)) {
        return Error{.code = Errc::refused, .detail = "a switchover of it is under way"};
    }
    const Member* to = US_TRY(successor(*service, ask.to()));
    if (!sessions_.connected(from->incarnation)) {
        return Error{.code = Errc::unavailable,
                     .detail = from->name + ", which is active, is not connected"};
    }
    Row& row = rows_
                   .emplace(family, Row{.session = session,
                                        .request = request,
                                        .from = from->name,
                                        .to = to->name,
                                        .epoch = service->epoch,
                                        .deadline = turn.now + limits_.catch_up,
                                        .stage = Stage::catching_up})
                   .first->second;
    if (service->election().journal_decides()) {
        want(turn, family, row.to, limits_.catch_up + limits_.let_go + limits_.take);
    } else {
        let_go(turn, family, row);
    }
    return {};
}

/// The one that was asked for, or else the first in line that may be active.
/// Errors: not_found, refused, unavailable (none).
Result<const Member*> Switchovers::successor(const Service& service,
                                             const std::string& wanted) const {
    if (!wanted.empty()) {
        const Member* to = service.find(wanted);
        if (to == nullptr) return Error{.code = Errc::not_found, .detail = "no member " + wanted};
        US_CHECK(may_succeed(service, *to));
        return to;
    }
    const bool resort = last_resort_of(service.config) == role::LastResort::allow;
    const Member* last = nullptr;
    for (const auto& [order, member] : service.line) {
        if (order == service.active || !sessions_.connected(member.incarnation)) continue;
        if (!member.designation || member.designation->electable) return &member;
        if (last == nullptr) last = &member;
    }
    if (last != nullptr && resort) return last;
    return Error{.code = Errc::unavailable,
                 .detail = last != nullptr
                               ? "only the checkpointer is connected, and last_resort = never"
                               : "no standby is connected"};
}

/// Errors: refused, unavailable (none).
Result<void> Switchovers::may_succeed(const Service& service, const Member& member) const {
    if (member.order == service.active) {
        return Error{.code = Errc::refused, .detail = member.name + " is active already"};
    }
    const bool resort = last_resort_of(service.config) == role::LastResort::allow;
    if (member.designation && !member.designation->electable && !resort) {
        return Error{.code = Errc::refused,
                     .detail = member.name + " is the checkpointer, and last_resort = never"};
    }
    if (!sessions_.connected(member.incarnation)) {
        return Error{.code = Errc::unavailable, .detail = member.name + " is not connected"};
    }
    return {};
}

/// Asks a member for its handover. The active member finishes its work; the successor gets ready.
/// A member that is not connected does not answer before the limit.
void Switchovers::want(Turn& turn, const std::string& family, const std::string& name,
                       Duration limit) const {
    const Row& row = rows_.at(family);
    const Member* member = state_.find(family, name);
    const auto session = member == nullptr ? std::nullopt : sessions_.of(member->incarnation);
    if (!session) return;
    pb::Drain drain;
    drain.set_family(family);
    drain.set_member(name);
    drain.set_epoch(row.epoch.value);
    drain.set_limit_ms(to_ms(limit));
    drain.set_successor(row.to);
    turn.send(*session, MessageType::drain, drain);
}

void Switchovers::let_go(Turn& turn, const std::string& family, Row& row) {
    row.stage = Stage::letting_go;
    row.deadline = turn.now + limits_.let_go;
    want(turn, family, row.from, limits_.let_go);
}

void Switchovers::ready(Turn& turn, SessionId session, const pb::Drained& drained) {
    const std::string& family = drained.family();
    const auto found = rows_.find(family);
    const Member* member = state_.find(family, drained.member());
    if (found == rows_.end() || found->second.epoch.value != drained.epoch() || member == nullptr ||
        member->incarnation != sessions_.at(session).incarnation) {
        return;
    }
    Row& row = found->second;
    if (drained.member() == row.to) {
        row.ready = true;
        return reported(turn, family);
    }
    if (drained.member() != row.from || row.stage != Stage::letting_go) return;
    row.proposed = true;
    row.stage = Stage::taking;
    // If the registry elects, the command alone decides.
    const bool journal = state_.find(family)->election().journal_decides();
    row.deadline = journal ? turn.now + limits_.take : TimePoint::max();
    propose(turn, Proposal::Kind::switchover, family, row);
}

/// A switchover is planned, so it is not urgent: the reserve on a full disk is for failovers. Its
/// cancellation is urgent, because the service holds back requests until then.
void Switchovers::propose(Turn& turn, Proposal::Kind kind, const std::string& family,
                          const Row& row) {
    const bool off = kind == Proposal::Kind::call_off;
    pb::RegistryCommand command;
    pb::Switchover& wanted = *command.mutable_switchover();
    wanted.set_family(family);
    wanted.set_from(row.from);
    wanted.set_to(off ? row.from : row.to);
    wanted.set_epoch(row.epoch.value);
    turn.propose({.kind = kind, .family = family}, std::move(command),
                 off ? Urgency::urgent : Urgency::usual);
}

/// What the successor lacks of the last report of the active member. Empty: nothing.
std::string Switchovers::lag_of(const std::string& family, const Row& row) const {
    const auto from = reports_.applied(family, row.from);
    const auto to = reports_.applied(family, row.to);
    if (!from || !to) return "has not said how far it is";
    return *to >= *from ? std::string() : fmt::format("is {} behind", entries(*from - *to));
}

void Switchovers::reported(Turn& turn, const std::string& family) {
    const auto found = rows_.find(family);
    if (found == rows_.end()) return;
    Row& row = found->second;
    if (row.stage != Stage::catching_up || !row.ready || !lag_of(family, row).empty()) return;
    let_go(turn, family, row);
}

void Switchovers::settled(Turn& turn, const Proposal& proposal) {
    const std::string& family = proposal.family;
    const auto found = rows_.find(family);
    if (found == rows_.end()) return;
    const Row& row = found->second;
    const auto fail = [&](Error error) { end(turn, family, error); };
    const Service* known = state_.find(family);
    if (known == nullptr) return fail({.code = Errc::refused, .detail = "the service is gone"});
    const Service& service = *known;
    const Member* active = service.active_member();
    const bool decided = proposal.kind == Proposal::Kind::switchover ||
                         (service.epoch > row.epoch && was_asked_for(service));
    if (decided && active != nullptr && active->name == row.to) {
        return end(turn, family, std::nullopt);
    }
    if (service.epoch > row.epoch) {
        return fail({.code = Errc::refused,
                     .detail = fmt::format("a failover came before it: {} is active",
                                           active == nullptr ? "nobody" : active->name)});
    }
    if (service.find(row.from) == nullptr) {
        return fail({.code = Errc::refused,
                     .detail = fmt::format("the active member, {}, ended during the switchover: "
                                           "that is a failover",
                                           row.from)});
    }
    if (service.find(row.to) == nullptr) {
        return fail({.code = Errc::unavailable,
                     .detail = fmt::format("{} ended during the switchover; {} goes on", row.to,
                                           row.from)});
    }
    if (proposal.kind == Proposal::Kind::call_off) {
        fail(
            timed_out(fmt::format("{} did not become active in time; {} goes on", row.to, row.from),
                      understudy::Effect::unknown));
    }
}

void Switchovers::refused(Turn& turn, const Proposal& proposal, const Error& error) {
    end(turn, proposal.family, error);
}

void Switchovers::tick(Turn& turn) {
    std::vector<std::string> late;
    for (const auto& [family, row] : rows_) {
        if (turn.now >= row.deadline) late.push_back(family);
    }
    for (const std::string& family : late) overdue(turn, family);
}

void Switchovers::overdue(Turn& turn, const std::string& family) {
    Row& row = rows_.at(family);
    if (row.stage != Stage::taking) {
        return end(turn, family, timed_out(too_slow(row, lag_of(family, row))));
    }
    const Service* service = state_.find(family);
    const Member* active = service == nullptr ? nullptr : service->active_member();
    if (active != nullptr && active->name == row.from) {
        row.deadline = turn.now + limits_.take;
        return propose(turn, Proposal::Kind::call_off, family, row);
    }
    end(turn, family,
        timed_out(
            fmt::format("{} gave its role away, and {} has not taken it yet", row.from, row.to),
            understudy::Effect::unknown));
}

std::string Switchovers::too_slow(const Row& row, const std::string& lag) {
    if (row.stage == Stage::letting_go) return row.from + " did not drain in time; nothing changed";
    if (!row.ready) return fmt::format("{} did not answer in time; {} goes on", row.to, row.from);
    return fmt::format("{} {} and did not catch up in time; {} goes on", row.to, lag, row.from);
}

/// After an error the active member goes on, and its successor need not be ready any more.
void Switchovers::end(Turn& turn, const std::string& family, const std::optional<Error>& error) {
    const auto found = rows_.extract(family);
    if (found.empty()) return;
    const Row& row = found.mapped();
    const Service* service = state_.find(family);
    const Member* active = service == nullptr ? nullptr : service->active_member();
    pb::Answer answer;
    if (error) {
        *answer.mutable_failure() = wire::to_failure(*error);
        if (active != nullptr && active->name == row.from) {
            grants_.tell(turn, grant_of(*service, *active));
        }
        const Member* to = service == nullptr ? nullptr : service->find(row.to);
        if (to != nullptr && to->designation) grants_.tell(turn, grant_of(*service, *to));
    } else {
        answer.set_epoch(service->epoch.value);
        if (active != nullptr) answer.set_member(active->name);
    }
    if (row.session.value != 0) turn.answer(row.session, row.request, std::move(answer));
}

void Switchovers::retire(Turn& turn, Error over) const {
    for (const auto& [family, row] : rows_) {
        if (row.session.value == 0) continue;
        over.effect = row.proposed ? understudy::Effect::unknown : understudy::Effect::none;
        turn.fail(row.session, row.request, over);
    }
}

}  // namespace understudy::registry
