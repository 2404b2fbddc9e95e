// The registry's state: services whose journal says who is active.

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/plant.h"
#include "registry/definition.h"
#include "registry/state_change.h"
#include "wire/control.h"
#include "wire/definition.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;

namespace {

[[nodiscard]] Outcome refused(Error error) {
    Outcome outcome;
    outcome.error = std::move(error);
    return outcome;
}

[[nodiscard]] Outcome refused(Errc code, std::string detail) {
    return refused(Error{.code = code, .detail = std::move(detail)});
}

/// An epoch is one member's: who has reported it first. A lower one is over.
[[nodiscard]] bool may_hold(const Service& service, const Member& member, Epoch epoch) {
    if (epoch.value == 0) return false;
    if (epoch < service.epoch) return planted(Plant::stale_report_believed);
    return epoch > service.epoch || service.holder.empty() || service.holder == member.name;
}

[[nodiscard]] bool equal(const pb::Definition& left, const pb::Definition& right) {
    return left.SerializeAsString() == right.SerializeAsString();
}

/// A standby and a checkpointer differ by their designation alone.
[[nodiscard]] Role role_of(const pb::MemberReported& reported) {
    const auto role = static_cast<Role>(reported.role());
    return role == Role::checkpointer ? Role::standby : role;
}

[[nodiscard]] std::string members_of(const Service& service) {
    std::string names;
    for (const auto& [order, member] : service.line) {
        names += (names.empty() ? "" : ", ") + member.name;
    }
    return names;
}

}  // namespace

bool is_news(const Service& service, const Member& member, const pb::MemberReported& reported) {
    if (!service.journaled()) return false;
    if (reported.has_checkpoint() && !service.start_order->founded()) return true;
    const bool active = service.active == member.order;
    if (role_of(reported) == Role::active) {
        const Epoch epoch{reported.epoch()};
        return may_hold(service, member, epoch) && !(active && epoch == service.epoch);
    }
    return active || member.role != role_of(reported);
}

namespace {

[[nodiscard]] std::string joined_names(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

/// Requires: nobody is active, and somebody is in line.
[[nodiscard]] std::string journaled_waiting_of(const Service& service) {
    const role::StartOrder& order = *service.start_order;
    if (!order.active().empty()) {
        return fmt::format("{} is to be active: its journal has not made it so yet",
                           order.active());
    }
    std::vector<std::string> others;
    for (const std::string& copy : order.copies()) {
        if (service.find(copy) == nullptr) others.push_back(copy);
    }
    const std::string who = others.empty() ? "another copy" : joined_names(others);
    const std::string duty(order.duty());
    if (last_resort_of(service.config) == role::LastResort::allow) {
        return fmt::format("{} is the checkpointer, and becomes active as the last resort if {} "
                           "does not come soon",
                           duty, who);
    }
    return fmt::format("nobody may become active: {} is the checkpointer, and last_resort = never; "
                       "start {}",
                       duty, who);
}

}  // namespace

std::string waiting_of(const Service& service) {
    if (service.redundancy() == Redundancy::load_balanced) return {};
    if (service.active.value != 0 || service.line.empty()) return {};
    if (service.journaled()) return journaled_waiting_of(service);
    if (!service.awaited.empty()) {
        return fmt::format(
            "{} holds the role by what is known, and is not back yet: it has a lease",
            service.awaited);
    }
    if (service.unsettled) {
        return fmt::format("somebody may hold epoch {}: who does has a lease to say so",
                           service.epoch.value);
    }
    return "no member of the backup is back yet";
}

/// Requires: nobody is in line, and the service is not registered beforehand.
void State::configure(Service& service, const pb::ServiceConfig& wanted) {
    const Redundancy before = service.redundancy();
    service.config = wanted;
    if (service.redundancy() != before) {
        service.lost.reset();
        service.unsettled = false;
    }
    if (!service.journaled()) {
        service.start_order.reset();
        service.holder.clear();
        service.handing.reset();
        return;
    }
    if (service.start_order) {
        (void)service.start_order->allow(last_resort_of(wanted));
        (void)service.start_order->choose(checkpointer_of(wanted));
        return;
    }
    service.start_order.emplace(role::StartOrder::Options{.last_resort = last_resort_of(wanted),
                                                          .checkpointer = checkpointer_of(wanted)});
    // What went before was not its journal's.
    service.epoch = {};
    service.awaited.clear();
}

Result<void> State::check_copy(const Service& service, const pb::Register& wanted) {
    const std::string& member = wanted.member();
    const role::Checkpointer own = checkpointer_of(service.config);
    const role::Checkpointer said = checkpointer_of(wanted.config());
    // A member that says `dedicated` to a defined service may know nothing of this option.
    if (said != own && (!service.definition || said == role::Checkpointer::shared)) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("service {} has checkpointer = {}: member {} says {}",
                                           service.config.family(), name(own), member, name(said))};
    }
    if (service.definition) {
        std::string names;
        for (const pb::ReplicaDefinition& replica : service.definition->replicas()) {
            const std::string name = wire::replica_member(replica.number());
            if (name == member) return {};
            names += (names.empty() ? "" : ", ") + name;
        }
        return Error{.code = Errc::not_found,
                     .detail = fmt::format("service {} has no replica {}; registered are {}",
                                           service.config.family(), member, names)};
    }
    const auto& copies = service.start_order->copies();
    if (copies.size() >= copies_max && !copies.contains(member)) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("service {} has had {} members by name",
                                           service.config.family(), copies_max)};
    }
    return {};
}

void State::join(Service& service, const pb::AddMember& add, Member& member, std::uint64_t wall_ms,
                 Change& change) {
    role::StartOrder& order = *service.start_order;
    if (add.wanted().has_checkpoint()) order.has_checkpoint();
    if (!service.definition) designate(service, order.added(member.name), change);
    designate(service, order.started(member.name), change);
    if (!add.wanted().holds_role()) return;
    pb::MemberReported reported;
    reported.set_role(static_cast<std::uint32_t>(Role::active));
    reported.set_epoch(add.wanted().known_epoch());
    take_report(service, member, reported, wall_ms, change);
}

/// Nobody takes the place of an active member that is gone until its journal has made somebody so.
void State::leave(Service& service, JoinOrder order, const Why& why, Change& change) {
    if (service.active == order) {
        pb::Loss& lost = service.lost.emplace();
        lost.set_member(why.previous);
        lost.set_cause(static_cast<std::uint32_t>(why.cause));
        lost.set_evidence(why.evidence);
        lost.set_noticed_us(why.noticed_us);
    }
    erase(service, order, change);
    designate(service, service.start_order->stopped(why.previous), change);
    handing_without(service, why.previous, change);
}

/// One of the two of a switchover is gone. Its other end goes on: who has the role keeps it, who
/// was to get it is the next anyway.
void State::handing_without(Service& service, const std::string& gone, Change& change) {
    if (!service.handing) return;
    const std::string from = service.handing->from();
    if (gone != from && gone != service.handing->to()) return;
    service.handing.reset();
    if (gone != from) designate(service, service.start_order->elected(from), change);
}

/// The journal has the last word: this says who may take it, and who is to let go.
Outcome State::hand_over_journal(Service& service, const pb::HandOver& wanted) {
    const Member* from = service.active_member();
    if (from == nullptr || from->name != wanted.from() || service.epoch.value != wanted.epoch()) {
        return refused(Errc::refused, "the active member changed during the switchover");
    }
    Change change;
    const bool called_off = wanted.to() == wanted.from();
    if (called_off) {
        if (!std::exchange(service.handing, std::nullopt)) return {};
        change.changed = true;
        designate(service, service.start_order->elected(wanted.from()), change);
        return finish(service, change);
    }
    const Member* to = service.find(wanted.to());
    if (to == nullptr) return refused(Errc::unavailable, wanted.to() + " has ended");
    if (service.handing) return refused(Errc::refused, "a switchover of it is under way");
    if (!to->designation.electable && last_resort_of(service.config) == role::LastResort::never) {
        return refused(Errc::refused, fmt::format("{} is the checkpointer, and last_resort = never",
                                                  wanted.to()));
    }
    change.changed = true;
    service.handing = wanted;
    designate(service, service.start_order->elected(wanted.to()), change);
    return finish(service, change);
}

void State::to_the_back(Service& service, const std::string& name, Change& change) {
    const Member* found = service.find(name);
    if (found == nullptr) return;
    Member member = *found;
    change.touched.erase(member.order);
    change.told.erase(member.order);
    service.line.erase(member.order);
    member.order = service.next_order;
    service.next_order = service.next_order.next();
    change.touched.insert(member.order);
    change.told.insert(member.order);
    service.line.emplace(member.order, std::move(member));
    service.start_order->to_the_back(name);
}

Outcome State::on(const pb::MemberReported& reported, std::uint64_t wall_ms) {
    const auto found = services_.find(reported.family());
    if (found == services_.end()) return {};
    Service& service = found->second;
    const Member* known = service.find(reported.member());
    if (known == nullptr || known->incarnation.value != reported.incarnation()) return {};
    Change change;
    take_report(service, service.line.at(known->order), reported, wall_ms, change);
    return finish(service, change);
}

void State::take_report(Service& service, Member& member, const pb::MemberReported& reported,
                        std::uint64_t wall_ms, Change& change) {
    if (!is_news(service, member, reported)) return;
    if (reported.has_checkpoint()) service.start_order->has_checkpoint();
    const Role role = role_of(reported);
    const bool active = service.active == member.order;
    if (role == Role::active) {
        const Epoch epoch{reported.epoch()};
        if (!may_hold(service, member, epoch) || (active && epoch == service.epoch)) return;
        return make_active(service, member, epoch, wall_ms, change);
    }
    if (active) {
        service.active = {};
        pb::Loss& lost = service.lost.emplace();
        lost.set_member(member.name);
        lost.set_cause(static_cast<std::uint32_t>(Cause::elected));
        lost.set_evidence(member.name + " is not active any more, by its journal");
        if (service.handing && service.handing->from() == member.name) {
            lost.set_cause(static_cast<std::uint32_t>(Cause::switchover));
            lost.set_evidence("asked for");
        }
    }
    if (member.role == role) return;
    member.role = role;
    member.epoch = {};
    change.touched.insert(member.order);
}

void State::make_active(Service& service, Member& member, Epoch epoch, std::uint64_t wall_ms,
                        Change& change) {
    // Whoever was cut off from us and comes back to its own epoch has not been promoted.
    const bool is_new = epoch != service.epoch || service.holder != member.name;
    Cause cause = service.promotions == 0 ? Cause::first_member : Cause::elected;
    std::string evidence = fmt::format("{} is active by its journal", member.name);
    std::string previous;
    std::uint64_t noticed_us = 0;
    if (service.lost) {
        cause = static_cast<Cause>(service.lost->cause());
        evidence = fmt::format("{}; {}", service.lost->evidence(), evidence);
        previous = service.lost->member();
        noticed_us = service.lost->noticed_us();
    } else if (service.active.value != 0) {
        previous = service.active_member()->name;
    }
    if (service.active.value != 0 && service.active != member.order) {
        Member& old = service.line.at(service.active);
        old.role = Role::standby;
        old.epoch = {};
        change.touched.insert(old.order);
    }
    const auto handing = std::exchange(service.handing, std::nullopt);
    if (handing && handing->to() == member.name) {
        cause = Cause::switchover;
        evidence = "asked for";
        previous = handing->from();
    } else if (handing) {
        if (cause == Cause::switchover) cause = Cause::elected;
        evidence = fmt::format("during a switchover to {}; {} is active by its journal",
                               handing->to(), member.name);
    }
    service.active = member.order;
    service.epoch = std::max(service.epoch, epoch);
    service.holder = member.name;
    service.lost.reset();
    member.role = Role::active;
    member.epoch = service.epoch;
    change.touched.insert(member.order);
    if (is_new) {
        ++service.promotions;
        pb::Promotion& row = service.story.emplace_back();
        row.set_wall_ms(wall_ms);
        row.set_family(service.config.family());
        row.set_epoch(epoch.value);
        row.set_member(member.name);
        row.set_previous(previous);
        row.set_cause(static_cast<std::uint32_t>(cause));
        row.set_evidence(evidence);
        row.set_noticed_us(noticed_us);
    }
    designate(service, service.start_order->elected(member.name), change);
    if (handing && handing->to() == member.name) to_the_back(service, handing->from(), change);
}

void State::designate(Service& service, const role::StartOrder::Changes& changes, Change& change) {
    for (const role::Designated& one : changes) {
        for (auto& [order, member] : service.line) {
            if (member.name != one.member) continue;
            member.designation = one.what;
            change.touched.insert(order);
            change.told.insert(order);
        }
    }
}

Outcome State::on(const pb::LastResort& resort) {
    const auto found = services_.find(resort.family());
    if (found == services_.end() || !found->second.journaled()) return {};
    Service& service = found->second;
    if (!service.start_order->active().empty()) return {};
    Change change;
    designate(service, service.start_order->waited(), change);
    return finish(service, change);
}

Outcome State::on(const pb::DefinitionAsk& wanted) {
    switch (wanted.what_case()) {
        case pb::DefinitionAsk::kDefine: return define(wanted.define());
        case pb::DefinitionAsk::kAdd:
        case pb::DefinitionAsk::kRemove: return change_replicas(wanted);
        case pb::DefinitionAsk::kUndefine: return undefine(wanted.undefine());
        case pb::DefinitionAsk::WHAT_NOT_SET: break;
    }
    return refused(Errc::corrupt, "a definition of unknown kind");
}

Outcome State::define(const pb::DefineAsk& wanted) {
    const std::string& family = wanted.family();
    auto found = services_.find(family);
    const Service* old = found == services_.end() ? nullptr : &found->second;
    const bool defined = old != nullptr && old->definition.has_value();
    if (old == nullptr && services_.size() >= services_max) {
        return refused(Errc::limit_exceeded,
                       fmt::format("the platform has {} services", services_max));
    }
    if (old != nullptr && !defined && !old->line.empty()) {
        return refused(Errc::refused,
                       fmt::format("members of service {} run that was not registered: {}", family,
                                   members_of(*old)));
    }
    const Definition before{
        .rows = defined ? *old->definition : pb::Definition(),
        .last_resort = defined ? last_resort_of(old->config) : role::LastResort::never,
        .checkpointer = defined ? checkpointer_of(old->config) : role::Checkpointer::dedicated};
    auto now = registry::define(defined ? &before : nullptr, wanted);
    if (!now) return refused(std::move(now).error());
    if (defined && now->last_resort == before.last_resort &&
        now->checkpointer == before.checkpointer && equal(now->rows, before.rows)) {
        return {};
    }
    if (defined && !old->line.empty() && moves_journal(before.rows, now->rows)) {
        return refused(Errc::refused,
                       fmt::format("the journal of {} cannot move while members run: {}", family,
                                   members_of(*old)));
    }

    if (old == nullptr) found = services_.emplace(family, Service{}).first;
    Service& service = found->second;
    Change change;
    change.changed = true;
    if (!defined) {
        const bool founded = service.start_order && service.start_order->founded();
        pb::ServiceConfig config;
        config.set_family(family);
        config.set_redundancy(static_cast<std::uint32_t>(Redundancy::journaled));
        config.set_lease_ms(defined_lease_ms);
        configure(service, config);
        service.start_order.emplace(role::StartOrder::Options{.had_checkpoint = founded});
        for (const pb::ReplicaDefinition& replica : now->rows.replicas()) {
            (void)service.start_order->added(wire::replica_member(replica.number()));
        }
    }
    service.definition = std::move(now->rows);
    service.config.set_last_resort(now->last_resort == role::LastResort::allow ? 1 : 0);
    service.config.set_checkpointer(now->checkpointer == role::Checkpointer::shared ? 1 : 0);
    designate(service, service.start_order->allow(now->last_resort), change);
    designate(service, service.start_order->choose(now->checkpointer), change);
    return finish(service, change);
}

Outcome State::change_replicas(const pb::DefinitionAsk& wanted) {
    const std::string& family = wanted.has_add() ? wanted.add().family() : wanted.remove().family();
    const auto found = services_.find(family);
    if (found == services_.end() || !found->second.definition) {
        return refused(Errc::not_found, fmt::format("no service {} is registered", family));
    }
    Service& service = found->second;
    const std::uint32_t number =
        wanted.has_add() ? wanted.add().number() : wanted.remove().number();
    const std::string name = wire::replica_member(number);
    auto now = wanted.has_add() ? add_replica(*service.definition, wanted.add())
                                : remove_replica(*service.definition, wanted.remove());
    if (!now) return refused(std::move(now).error());
    if (equal(*now, *service.definition)) return {};
    const Member* running = service.find(name);
    if (running != nullptr && wanted.has_add() && moves_journal(*service.definition, *now)) {
        return refused(Errc::refused, fmt::format("{} of {} runs: its journal cannot move", name,
                                                  family));
    }
    if (running != nullptr && wanted.has_remove() && service.active == running->order) {
        return refused(Errc::refused, fmt::format("{} is active: stop it first", name));
    }

    Change change;
    change.changed = true;
    service.definition = std::move(*now);
    if (wanted.has_add()) {
        designate(service, service.start_order->added(name), change);
        return finish(service, change);
    }
    if (running != nullptr) erase(service, running->order, change);
    designate(service, service.start_order->removed(name), change);
    handing_without(service, name, change);
    return finish(service, change);
}

Outcome State::undefine(const pb::UndefineAsk& wanted) {
    const std::string& family = wanted.family();
    const auto found = services_.find(family);
    if (found == services_.end() || !found->second.journaled()) {
        return refused(Errc::not_found, fmt::format("no service {} is registered", family));
    }
    const Service& service = found->second;
    if (!service.line.empty()) {
        return refused(Errc::refused, fmt::format("members of {} run: {}; stop them first", family,
                                                  members_of(service)));
    }
    Outcome outcome;
    revision_ = revision_.next();
    pb::WatchChange& out = outcome.change.emplace();
    out.set_revision(revision_.value);
    out.set_previous(service.revision);
    out.set_family(family);
    out.set_removed(true);
    services_.erase(found);
    return outcome;
}

void State::restore_start_order(Service& service, const pb::ServiceState& row) {
    const pb::StartOrderState& saved = row.start_order();
    std::vector<std::string> line;
    for (const auto& [order, member] : service.line) line.push_back(member.name);
    service.start_order.emplace(
        role::StartOrder::restored({.last_resort = last_resort_of(service.config),
                                    .checkpointer = checkpointer_of(service.config)},
                                   {.has_checkpoint = saved.has_checkpoint(),
                                    .copies = {saved.copies().begin(), saved.copies().end()},
                                    .active = saved.active(),
                                    .checkpointer = saved.checkpointer(),
                                    .stand_in = saved.stand_in(),
                                    .first_start = saved.first_start(),
                                    .had_checkpointer = saved.had_checkpointer(),
                                    .may_resort = saved.may_resort()},
                                   line));
    for (auto& [order, member] : service.line) {
        member.designation = *service.start_order->find(member.name);
        if (member.role == Role::checkpointer) member.role = Role::standby;
    }
    if (row.info().has_definition()) service.definition = row.info().definition();
    service.holder = row.holder();
    if (row.has_handing()) service.handing = row.handing();
    if (const Member* active = service.active_member()) {
        service.holder = active->name;
        service.lost.reset();
    }
}

}  // namespace understudy::registry
