#include "registry/state/state.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/plant.h"
#include "wire/control.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;

namespace {

constexpr std::uint64_t place_max = std::uint64_t{1} << 62;

[[nodiscard]] Outcome refused(Error error) {
    Outcome outcome;
    outcome.error = std::move(error);
    return outcome;
}

}  // namespace

const Service* State::find(const std::string& family) const {
    const auto found = services_.find(family);
    return found == services_.end() ? nullptr : &found->second;
}

const Member* State::find(const std::string& family, const std::string& member) const {
    const Service* service = find(family);
    return service == nullptr ? nullptr : service->find(member);
}

Service* State::service_of(const std::string& family) {
    const auto found = services_.find(family);
    return found == services_.end() ? nullptr : &found->second;
}

/// Standbys carry the service's epoch, so that they tell the newest one to clients.
Grant grant_of(const Service& service, const Member& member) {
    Grant grant{service.config.family(), member};
    if (member.role != Role::active) grant.member.epoch = service.epoch;
    return grant;
}

Result<Applied> Applied::from(Index index, Bytes reply) {
    const auto place = ByteReader(reply).fixed<std::uint32_t>();
    if (!place) return Error{.code = Errc::corrupt, .detail = "reply of the registry's state"};
    return Applied{index, *place};
}

void State::apply(const replica::Command& applied, Buffer& reply) {
    ByteWriter(reply).fixed(applied.place);
    const Bytes bytes = applied.body;
    Outcome outcome;
    pb::RegistryCommand command;
    if (command.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        outcome = apply(command);
    } else {
        // The journal's checksum held, so a newer version wrote this: every copy of this version
        // refuses it alike.
        outcome = refused({.code = Errc::corrupt, .detail = "command does not parse"});
    }
    if (live_) outcomes_.emplace(Applied{applied.index, applied.place}, std::move(outcome));
}

Outcome State::apply(const pb::RegistryCommand& command) {
    const std::uint64_t wall_ms = command.wall_ms();
    switch (command.what_case()) {
        case pb::RegistryCommand::kFound:
            return on(command.found());
        case pb::RegistryCommand::kAdd:
            return on(command.add(), wall_ms);
        case pb::RegistryCommand::kRemove:
            return on(command.remove(), wall_ms);
        case pb::RegistryCommand::kSwitchover:
            return on(command.switchover(), wall_ms);
        case pb::RegistryCommand::kRaise:
            return on(command.raise(), wall_ms);
        case pb::RegistryCommand::kStopWaiting:
            return on(command.stop_waiting(), wall_ms);
        case pb::RegistryCommand::kRestore:
            return on(command.restore());
        case pb::RegistryCommand::kReport:
            return on(command.report(), wall_ms);
        case pb::RegistryCommand::kDefinition:
            return on(command.definition());
        case pb::RegistryCommand::kLastResort:
            return on(command.last_resort());
        case pb::RegistryCommand::WHAT_NOT_SET:
            break;
    }
    return refused({.code = Errc::corrupt, .detail = "command of unknown kind"});
}

Outcome State::take_outcome(Applied command) {
    const auto found = outcomes_.find(command);
    US_ASSERT(found != outcomes_.end());
    Outcome outcome = std::move(found->second);
    outcomes_.erase(found);
    return outcome;
}

Outcome State::on(const pb::FoundPlatform& found) {
    if (founded()) {
        return refused({.code = Errc::already_exists, .detail = "platform " + platform_});
    }
    platform_ = found.platform();
    here_.registry_id = found.registry_id();
    return {};
}

/// The backup does not know what happened after it. No member is active before it says that it is,
/// and none is promoted for a lease. The members have to return by themselves.
Outcome State::on(const pb::RegistryState& backup) {
    if (founded()) {
        return refused(
            {.code = Errc::already_exists, .detail = "this directory holds platform " + platform_});
    }
    load(backup);
    if (!here_.restored || planted(Plant::backup_believed)) return {};
    for (auto& [family, service] : services_) {
        for (auto& [order, member] : service.line) {
            member.unheard = true;
            if (member.role != Role::active) continue;
            member.role = service.election().first_role();
            member.epoch = {};
        }
        service.election().forgotten(service);
        service.active = {};
    }
    return {};
}

// --- Members -------------------------------------------------------------------------------------

Outcome State::on(const pb::AddMember& add, std::uint64_t wall_ms) {
    const pb::Register& wanted = add.wanted();
    auto service = service_to_join(wanted);
    if (!service) return refused(std::move(service).error());
    Change change{.service = **service, .wall_ms = wall_ms};
    if (auto replaced = replace(change, add); !replaced) {
        return refused(std::move(replaced).error());
    }
    Member& member = take_in(change, add);
    change.told.insert(member.order);
    change.service.election().joined(change, here_, add, member);
    return finish(change);
}

/// Errors: bad_config, not_found, limit_exceeded (none).
Result<Service*> State::service_to_join(const pb::Register& wanted) {
    const std::string& family = wanted.config().family();
    auto found = services_.find(family);
    if (found == services_.end()) {
        if (services_.size() >= services_max) {
            return Error{.code = Errc::limit_exceeded,
                         .detail = fmt::format("the platform has {} services", services_max)};
        }
        found = services_.emplace(family, Service(wanted.config())).first;
        found->second.election().created(found->second, here_);
    }
    Service& service = found->second;
    if (service.line.empty() && !service.definition) service.configure(wanted.config());
    if (service.config.redundancy() != wanted.config().redundancy()) {
        return Error{
            .code = Errc::bad_config,
            .detail = fmt::format("service {} is {}: its members cannot also be {}", family,
                                  name(service.redundancy()),
                                  name(static_cast<Redundancy>(wanted.config().redundancy())))};
    }
    US_CHECK(service.election().admit(service, wanted));
    if (service.line.empty()) service.config.set_lease_ms(wanted.config().lease_ms());
    return &service;
}

/// Another process may have had the member before. Errors: already_exists, limit_exceeded (none).
Result<void> State::replace(Change& change, const pb::AddMember& add) {
    Service& service = change.service;
    const std::string& family = service.config.family();
    const Member* old = service.find(add.wanted().member());
    if (old != nullptr && old->incarnation.value != add.incarnation()) {
        if (old->incarnation.value != add.replaces()) {
            return Error{.code = Errc::already_exists,
                         .detail = fmt::format("member {}/{} is held by agent {}", family,
                                               add.wanted().member(), old->agent)};
        }
        service.election().replaced(
            change, old->order,
            {.cause = Cause::new_incarnation, .evidence = add.evidence(), .previous = old->name});
        old = nullptr;
    }
    if (old == nullptr && service.line.size() >= members_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("service {} has {} members", family, members_max)};
    }
    return {};
}

Member& State::take_in(Change& change, const pb::AddMember& add) {
    Service& service = change.service;
    const pb::Register& wanted = add.wanted();
    const Address endpoint = wire::from_endpoint(wanted.endpoint());
    const Address node = wire::from_endpoint(wanted.node());
    if (const Member* old = service.find(wanted.member())) {
        Member& member =
            old->unheard ? come_back(change, old->order, wanted) : service.line.at(old->order);
        if (member.endpoint != endpoint || member.node != node) change.touch(member);
        member.endpoint = endpoint;
        member.node = node;
        return member;
    }
    const JoinOrder order = place_for(service, wanted);
    service.next_order = std::max(service.next_order, order.next());
    Member& member = service.line
                         .emplace(order, Member{.name = wanted.member(),
                                                .agent = add.agent(),
                                                .incarnation = {add.incarnation()},
                                                .endpoint = endpoint,
                                                .order = order,
                                                .role = service.election().first_role(),
                                                .epoch = {},
                                                .process = add.process(),
                                                .joined_wall_ms = change.wall_ms,
                                                .node = node})
                         .first->second;
    change.touch(member);
    return member;
}

/// A place that another registry gave is kept. A member that this registry removed goes to the end
/// of the line.
JoinOrder State::place_for(const Service& service, const pb::Register& wanted) const {
    const JoinOrder known{wanted.known_order()};
    const std::uint64_t registry = wanted.known_registry();
    const bool foreign = registry != 0 && registry != here_.registry_id;
    const bool ahead =
        registry == here_.registry_id && (known >= service.next_order || here_.restored);
    const bool keeps_place = service.election().keeps_places() && known.value != 0 &&
                             (foreign || ahead || planted(Plant::keeps_place)) &&
                             known.value < place_max && !service.line.contains(known);
    return keeps_place ? known : service.next_order;
}

/// A member of the backup registers for the first time. It may have gone to the end of the line
/// meanwhile.
Member& State::come_back(Change& change, JoinOrder order, const pb::Register& wanted) const {
    Service& service = change.service;
    auto row = service.line.extract(order);
    Member& member = row.mapped();
    member.unheard = false;
    const JoinOrder known{wanted.known_order()};
    if (service.election().keeps_places() && wanted.known_registry() == here_.registry_id &&
        known > order && known.value < place_max && !service.line.contains(known)) {
        if (service.active == order) service.active = known;
        row.key() = member.order = known;
        service.next_order = std::max(service.next_order, known.next());
    }
    change.touch(member);
    return service.line.insert(std::move(row)).position->second;
}

Outcome State::on(const pb::RemoveMember& remove, std::uint64_t wall_ms) {
    Service* service = service_of(remove.family());
    const Member* member = service == nullptr ? nullptr : service->find(remove.member());
    // Repeated evidence, or a new incarnation has taken the name meanwhile.
    if (member == nullptr || member->incarnation.value != remove.incarnation()) return {};
    Change change{.service = *service, .wall_ms = wall_ms};
    service->election().left(change, member->order,
                             {.cause = static_cast<Cause>(remove.cause()),
                              .evidence = remove.evidence(),
                              .previous = remove.member(),
                              .noticed_us = remove.noticed_us()},
                             {remove.suspects().begin(), remove.suspects().end()});
    return finish(change);
}

Outcome State::on(const pb::Switchover& wanted, std::uint64_t wall_ms) {
    Service* service = service_of(wanted.family());
    if (service == nullptr)
        return refused({.code = Errc::refused, .detail = "the service is gone"});
    Change change{.service = *service, .wall_ms = wall_ms};
    if (auto switched = service->election().switched(change, wanted); !switched) {
        return refused(std::move(switched).error());
    }
    return finish(change);
}

Outcome State::on(const pb::RaiseEpoch& raise, std::uint64_t wall_ms) {
    if (planted(Plant::forget_reported_epoch)) return {};
    if (Service* service = service_of(raise.family())) {
        Change change{.service = *service, .wall_ms = wall_ms};
        service->election().raised(change, raise);
        return finish(change);
    }
    // No member has joined yet: the epoch is remembered for the first one.
    if (services_.size() >= services_max) return {};
    pb::ServiceConfig config;
    config.set_family(raise.family());
    config.set_redundancy(static_cast<std::uint32_t>(Redundancy::fault_tolerant));
    Service service(config);
    service.epoch = Epoch{raise.epoch()};
    service.unsettled = !raise.reporter().empty();
    services_.emplace(raise.family(), std::move(service));
    return {};
}

Outcome State::on(const pb::StopWaiting& stop, std::uint64_t wall_ms) {
    if (stop.family().empty()) {
        here_.restored = false;
        return {};
    }
    Service* service = service_of(stop.family());
    if (service == nullptr) return {};
    Change change{.service = *service, .wall_ms = wall_ms};
    service->election().stop_waiting(change, stop);
    return finish(change);
}

Outcome State::on(const pb::MemberReported& reported, std::uint64_t wall_ms) {
    Service* service = service_of(reported.family());
    const Member* known = service == nullptr ? nullptr : service->find(reported.member());
    if (known == nullptr || known->incarnation.value != reported.incarnation()) return {};
    Change change{.service = *service, .wall_ms = wall_ms};
    service->election().reported(change, service->line.at(known->order), reported);
    return finish(change);
}

Outcome State::on(const pb::LastResort& resort) {
    Service* service = service_of(resort.family());
    if (service == nullptr) return {};
    Change change{.service = *service};
    service->election().waited(change);
    return finish(change);
}

Outcome State::finish(Change& change) {
    Service& service = change.service;
    Outcome outcome;
    outcome.removed = std::move(change.removed);
    if (!change.touched.empty() || !outcome.removed.empty() || change.changed) {
        revision_ = revision_.next();
        pb::WatchChange& out = outcome.change.emplace();
        out.set_revision(revision_.value);
        out.set_previous(service.revision);
        service.revision = revision_.value;
        out.set_family(service.config.family());
        *out.mutable_config() = service.config;
        out.set_epoch(service.epoch.value);
        if (const Member* active = service.active_member()) out.set_active(active->name);
        for (const JoinOrder order : change.touched) {
            *out.add_joined() = to_info(service.line.at(order));
        }
        for (const Member& gone : outcome.removed) {
            if (service.find(gone.name) == nullptr) out.add_left(gone.name);
        }
        out.set_promotions(service.promotions);
        out.set_awaited(service.awaited);
        if (service.definition) *out.mutable_definition() = *service.definition;
        for (auto row = service.story.rbegin(); row != service.story.rend(); ++row) {
            if (row->revision() != 0) break;
            row->set_revision(revision_.value);
        }
        while (service.story.size() > story_max) service.story.pop_front();
    }
    for (const JoinOrder order : change.told) {
        outcome.grants.push_back(grant_of(service, service.line.at(order)));
    }
    return outcome;
}

void State::check_invariants() const {
    for (const auto& [family, service] : services_) {
        US_ASSERT(service.config.family() == family);
        US_ASSERT(service.story.size() <= story_max);
        US_ASSERT(service.revision <= revision_.value);
        US_ASSERT(service.redundancy() == Redundancy::journaled || !service.definition);
        service.election().check_invariants(service);
    }
}

}  // namespace understudy::registry
