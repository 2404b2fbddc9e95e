#include "registry/state/registry_election.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/plant.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;

namespace {

/// Has the active member said nothing since this registry started?
template <class Command>
[[nodiscard]] bool unconfirmed(const Service& service, const Command& command) {
    const Member* const active = service.active_member();
    return active != nullptr && active->name == command.unconfirmed();
}

[[nodiscard]] bool knows_another_registry(const pb::Register& wanted, const Platform& platform) {
    return wanted.known_registry() != 0 && wanted.known_registry() != platform.registry_id;
}

}  // namespace

void RegistryElection::created(Service& service, const Platform& platform) {
    service.unsettled = platform.restored;
}

void RegistryElection::joined(Change& change, const Platform& platform, const pb::AddMember& add,
                              Member& member) {
    const Service& service = change.service;
    learn_epoch(change, platform, add, member);
    if (service.active.value != 0 || service.waits()) return;
    promote_next(change, {},
                 {.cause = Cause::first_member,
                  .evidence = service.lost ? "nobody else was in line" : "nobody was active"});
}

/// Adopts what a joining member knows of epochs that this registry has forgotten or never knew.
void RegistryElection::learn_epoch(Change& change, const Platform& platform,
                                   const pb::AddMember& add, Member& member) {
    Service& service = change.service;
    const pb::Register& wanted = add.wanted();
    const Epoch known{wanted.known_epoch()};
    if (service.awaited == wanted.member()) service.awaited.clear();
    // The registry no longer waited for this member. Now it is here, so it was not lost.
    if (service.lost && service.lost->member() == wanted.member() &&
        static_cast<Cause>(service.lost->cause()) == Cause::never_returned) {
        service.lost.reset();
    }
    if (planted(Plant::forget_reported_epoch)) return;
    if (known < service.epoch || known.value == 0) return;
    if (known == service.epoch) {
        const bool foreign = knows_another_registry(wanted, platform);
        if (!wanted.holds_role() && (foreign || service.unsettled)) return await(change, wanted);
        if (!wanted.holds_role() || service.active == member.order) return;
        if (service.active.value != 0) {
            // Two registries have granted this epoch, one of which lost its data: it ends.
            return promote(change, service.line.at(service.active),
                           {.cause = Cause::higher_epoch,
                            .evidence = fmt::format("{} reports that it holds epoch {}, too",
                                                    wanted.member(), known.value),
                            .previous = wanted.member()});
        }
    }

    service.epoch = known;
    change.changed = true;
    if (wanted.holds_role()) return adopt(change, member, known);
    const std::string& holder = wanted.known_active();
    const bool knows_another = !holder.empty() && holder != wanted.member();
    if (unconfirmed(service, add) && (knows_another || service.active != member.order)) {
        return doubt(change, knows_another ? holder : std::string());
    }
    if (service.active.value == 0) return await(change, wanted);
    // The same member goes on in an epoch above the one that was seen elsewhere.
    Member& active = service.line.at(service.active);
    promote(change, active,
            {.cause = Cause::higher_epoch,
             .evidence = fmt::format("{} reports epoch {}", wanted.member(), known.value),
             .previous = active.name});
}

/// A healthy active member keeps its role although this registry has forgotten it.
void RegistryElection::adopt(Change& change, Member& member, Epoch epoch) {
    Service& service = change.service;
    if (service.active.value != 0 && service.active != member.order) {
        Member& usurper = service.line.at(service.active);
        usurper.role = Role::standby;
        change.tell(usurper);
    }
    member.role = Role::active;
    member.epoch = epoch;
    service.active = member.order;
    service.awaited.clear();
    service.unsettled = false;
    service.lost.reset();
    change.changed = true;
    change.tell(member);
    // The backup knows this tenure: it is no new promotion.
    const bool is_known = !service.story.empty() && service.story.back().epoch() == epoch.value &&
                          service.story.back().member() == member.name;
    if (is_known) return;
    change.record(
        member, epoch,
        {.cause = Cause::reported, .evidence = "the member reports that it holds the role"});
}

/// The member that the state takes for the holder has not confirmed it since this registry started,
/// and others have heard of a higher epoch. So the state is older than that epoch.
/// `holder`: of the higher epoch; empty: not known.
void RegistryElection::doubt(Change& change, const std::string& holder) {
    Service& service = change.service;
    US_ASSERT(service.active.value != 0);
    Member& believed = service.line.at(service.active);
    believed.role = Role::standby;
    service.active = {};
    service.awaited = holder.empty() ? believed.name : holder;
    service.unsettled = true;
    change.changed = true;
    change.tell(believed);
}

/// No member is promoted while a holder that others know may only be slower to return.
void RegistryElection::await(Change& change, const pb::Register& wanted) {
    Service& service = change.service;
    const std::string& holder = wanted.known_active();
    if (service.active.value != 0 || holder.empty() || holder == wanted.member()) return;
    const Member* const here = service.find(holder);
    if (here != nullptr && !here->unheard) return;
    service.awaited = holder;
    change.changed = true;
}

void RegistryElection::left(Change& change, JoinOrder order, const Why& why,
                            const std::vector<std::string>& suspects) {
    Service& service = change.service;
    const bool was_active = service.active == order;
    change.erase(order);
    if (was_active) return promote_next(change, suspects, why);
    if (service.awaited != why.previous) return;
    // The holder is gone. Whether its epoch has another holder is not known by that.
    service.awaited.clear();
    lose(change, why);
    if (!service.waits()) promote_next(change, {}, why);
}

void RegistryElection::replaced(Change& change, JoinOrder order, const Why& why) {
    Service& service = change.service;
    const bool was_active = service.active == order;
    if (service.awaited == why.previous) {
        service.awaited.clear();
        lose(change, why);
    }
    change.erase(order);
    if (was_active) promote_next(change, {}, why);
}

Result<void> RegistryElection::switched(Change& change, const pb::Switchover& wanted) {
    Service& service = change.service;
    const Member* from = service.active_member();
    const Member* to = service.find(wanted.to());
    if (from == nullptr || from->name != wanted.from() || service.epoch.value != wanted.epoch()) {
        return Error{.code = Errc::refused,
                     .detail = "the active member changed during the switchover"};
    }
    if (to == nullptr || to == from) {
        return Error{.code = Errc::refused,
                     .detail = fmt::format("{} is no standby of it", wanted.to())};
    }
    const JoinOrder successor = to->order;
    Member& giver = change.to_the_back(std::exchange(service.active, {}));
    giver.role = Role::standby;
    promote(change, service.line.at(successor),
            {.cause = Cause::switchover, .evidence = "asked for", .previous = giver.name});
    return {};
}

void RegistryElection::raised(Change& change, const pb::RaiseEpoch& raise) {
    Service& service = change.service;
    if (raise.epoch() <= service.epoch.value) return;
    service.epoch = Epoch{raise.epoch()};
    change.changed = true;
    if (service.active.value == 0) {
        service.unsettled = service.unsettled || !raise.reporter().empty();
        return;
    }
    if (unconfirmed(service, raise)) return doubt(change, {});
    Member& active = service.line.at(service.active);
    const std::string reporter =
        raise.reporter().empty() ? "an agent" : "agent " + raise.reporter();
    promote(change, active,
            {.cause = Cause::higher_epoch,
             .evidence = fmt::format("{} reports epoch {}", reporter, raise.epoch()),
             .previous = active.name});
}

void RegistryElection::stop_waiting(Change& change, const pb::StopWaiting& stop) {
    Service& service = change.service;
    if (!service.waits() || service.epoch.value != stop.epoch()) return;
    const std::string awaited = std::exchange(service.awaited, {});
    service.unsettled = false;
    change.changed = true;
    if (service.active.value != 0) return;
    const std::string evidence =
        awaited.empty()
            ? fmt::format("nobody reported in a lease that it holds epoch {}", service.epoch.value)
            : awaited + " was reported active and did not return in a lease";
    promote_next(change, {},
                 {.cause = Cause::never_returned, .evidence = evidence, .previous = awaited});
}

void RegistryElection::forgotten(Service& service) {
    const Member* const active = service.active_member();
    if (active != nullptr) service.awaited = active->name;
    service.unsettled = true;
}

void RegistryElection::promote_next(Change& change, const std::vector<std::string>& suspects,
                                    const Why& why) {
    auto& line = change.service.line;
    const auto heard = [](const auto& row) { return !row.second.unheard; };
    auto next = std::find_if(line.begin(), line.end(), [&](const auto& row) {
        return heard(row) &&
               std::find(suspects.begin(), suspects.end(), row.second.name) == suspects.end();
    });
    if (next == line.end()) next = std::find_if(line.begin(), line.end(), heard);
    if (next == line.end()) return lose(change, why);
    if (planted(Plant::last_in_line)) next = std::prev(line.end());
    promote(change, next->second, why);
}

void RegistryElection::lose(Change& change, const Why& why) {
    if (!change.service.lost && !why.previous.empty()) change.lose(why);
}

void RegistryElection::promote(Change& change, Member& member, Why why) {
    Service& service = change.service;
    if (const auto lost = std::exchange(service.lost, std::nullopt)) {
        why.cause = static_cast<Cause>(lost->cause());
        why.evidence = why.evidence == lost->evidence()
                           ? why.evidence
                           : fmt::format("{}; {}", lost->evidence(), why.evidence);
        why.previous = lost->member();
        why.noticed_us = lost->noticed_us();
    }
    if (!planted(Plant::epoch_not_raised) || service.epoch.value == 0) {
        service.epoch = service.epoch.next();
    }
    if (service.active.value != 0 && service.active != member.order) {
        Member& old = service.line.at(service.active);
        old.role = Role::standby;
        change.tell(old);
    }
    service.active = member.order;
    service.awaited.clear();
    service.unsettled = false;
    member.role = Role::active;
    member.epoch = service.epoch;
    change.tell(member);
    change.record(member, service.epoch, why);
}

Waiting RegistryElection::waiting(const Service& service) const {
    if (!service.awaited.empty()) {
        return {
            fmt::format("{} holds the role by what is known, and is not back yet: it has a lease",
                        service.awaited)};
    }
    if (service.unsettled) {
        return {fmt::format("somebody may hold epoch {}: who does has a lease to say so",
                            service.epoch.value)};
    }
    return {"no member of the backup is back yet"};
}

void RegistryElection::check_invariants(const Service& service) const {
    service.check_one_active();
    const bool heard = std::any_of(service.line.begin(), service.line.end(),
                                   [](const auto& row) { return !row.second.unheard; });
    US_ASSERT(service.active.value != 0 || !heard || service.waits());
}

}  // namespace understudy::registry
