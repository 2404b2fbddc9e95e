#include "registry/state.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/plant.h"
#include "registry/state_change.h"
#include "wire/control.h"

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

}  // namespace

Redundancy Service::redundancy() const { return static_cast<Redundancy>(config.redundancy()); }

const Member* Service::find(const std::string& member) const {
    for (const auto& [order, row] : line) {
        if (row.name == member) return &row;
    }
    return nullptr;
}

pb::MemberInfo Service::to_info(const Member& member) const {
    pb::MemberInfo info = registry::to_info(member);
    if (!journaled()) return info;
    *info.mutable_designation() = to_designation(member.designation);
    // Its journal knows of no checkpointers: what it says is that it is not active.
    if (member.role == Role::standby && member.designation.role == Role::checkpointer) {
        info.set_role(static_cast<std::uint32_t>(Role::checkpointer));
    }
    return info;
}

const Member* Service::active_member() const {
    const auto found = line.find(active);
    return found == line.end() ? nullptr : &found->second;
}

const Service* State::find(const std::string& family) const {
    const auto found = services_.find(family);
    return found == services_.end() ? nullptr : &found->second;
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
    if (!command.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        // The journal's checksum held, so a newer version wrote this: every copy of this version
        // refuses it alike.
        outcome.error = Error{.code = Errc::corrupt, .detail = "command does not parse"};
    } else {
        switch (command.what_case()) {
            case pb::RegistryCommand::kFound:
                outcome = on(command.found());
                break;
            case pb::RegistryCommand::kAdd:
                outcome = on(command.add(), command.wall_ms());
                break;
            case pb::RegistryCommand::kRemove:
                outcome = on(command.remove(), command.wall_ms());
                break;
            case pb::RegistryCommand::kHandOver:
                outcome = on(command.hand_over(), command.wall_ms());
                break;
            case pb::RegistryCommand::kRaise:
                outcome = on(command.raise(), command.wall_ms());
                break;
            case pb::RegistryCommand::kStopWaiting:
                outcome = on(command.stop_waiting(), command.wall_ms());
                break;
            case pb::RegistryCommand::kRestore:
                outcome = on(command.restore());
                break;
            case pb::RegistryCommand::kReport:
                outcome = on(command.report(), command.wall_ms());
                break;
            case pb::RegistryCommand::kDefinition:
                outcome = on(command.definition());
                break;
            case pb::RegistryCommand::kLastResort:
                outcome = on(command.last_resort());
                break;
            case pb::RegistryCommand::WHAT_NOT_SET:
                outcome.error = Error{.code = Errc::corrupt, .detail = "command of unknown kind"};
                break;
        }
    }
    if (live_) outcomes_.emplace(Applied{applied.index, applied.place}, std::move(outcome));
}

Outcome State::take_outcome(Applied command) {
    const auto found = outcomes_.find(command);
    US_ASSERT(found != outcomes_.end());
    Outcome outcome = std::move(found->second);
    outcomes_.erase(found);
    return outcome;
}

Outcome State::on(const pb::FoundPlatform& found) {
    Outcome outcome;
    if (founded()) {
        outcome.error = Error{.code = Errc::already_exists, .detail = "platform " + platform_};
        return outcome;
    }
    platform_ = found.platform();
    registry_id_ = found.registry_id();
    return outcome;
}

/// The members of a backup have to come back by themselves: each has one lease to do so.
Outcome State::on(const pb::RegistryState& backup) {
    Outcome outcome;
    if (founded()) {
        outcome.error = Error{.code = Errc::already_exists,
                              .detail = "this directory holds platform " + platform_};
        return outcome;
    }
    load(backup);
    if (restored_) {
        for (auto& [family, service] : services_) forget_roles(service);
    }
    return outcome;
}

/// The backup is older than whatever happened since: nobody is active before a member says that it
/// is, and nobody is promoted for a lease. Requires: loaded from a backup.
void State::forget_roles(Service& service) {
    if (planted(Plant::backup_believed)) return;
    for (auto& [order, member] : service.line) {
        member.unheard = true;
        if (member.role != Role::active) continue;
        member.role = service.journaled() ? Role::joining : Role::standby;
        member.epoch = {};
    }
    const Member* const active = service.active_member();
    if (service.redundancy() == Redundancy::fault_tolerant) {
        if (active != nullptr) service.awaited = active->name;
        service.unsettled = true;
    }
    service.active = {};
    // A switchover that was under way is over, one way or the other: the journal knows.
    if (const auto handing = std::exchange(service.handing, std::nullopt)) {
        (void)service.start_order->elected(handing->from());
        for (auto& [order, member] : service.line) {
            member.designation = *service.start_order->find(member.name);
        }
    }
}

Outcome State::on(const pb::AddMember& add, std::uint64_t wall_ms) {
    const pb::Register& wanted = add.wanted();
    const std::string& family = wanted.config().family();
    const auto refuse = [](Errc code, std::string detail) {
        Outcome outcome;
        outcome.error = Error{.code = code, .detail = std::move(detail)};
        return outcome;
    };

    auto found = services_.find(family);
    if (found == services_.end()) {
        if (services_.size() >= services_max) {
            return refuse(Errc::limit_exceeded,
                          fmt::format("the platform has {} services", services_max));
        }
        found = services_.emplace(family, Service{.config = wanted.config()}).first;
        found->second.unsettled =
            restored_ && found->second.redundancy() == Redundancy::fault_tolerant;
    }
    Service& service = found->second;
    if (service.line.empty() && !service.definition) configure(service, wanted.config());
    if (service.config.redundancy() != wanted.config().redundancy()) {
        return refuse(Errc::bad_config,
                      fmt::format("service {} is {}: its members cannot also be {}", family,
                                  name(service.redundancy()),
                                  name(static_cast<Redundancy>(wanted.config().redundancy()))));
    }

    if (service.journaled()) {
        if (auto known = check_copy(service, wanted); !known) {
            return refuse(known.error().code, known.error().detail);
        }
        if (service.line.empty()) service.config.set_lease_ms(wanted.config().lease_ms());
    }

    Change change;
    const Member* old = service.find(wanted.member());
    if (old != nullptr && old->incarnation.value != add.incarnation()) {
        if (old->incarnation.value != add.replaces()) {
            return refuse(Errc::already_exists, fmt::format("member {}/{} is held by agent {}",
                                                            family, wanted.member(), old->agent));
        }
        const bool was_active = old->order == service.active;
        Why why{.cause = Cause::new_incarnation,
                .evidence = add.evidence(),
                .previous = old->name,
                .wall_ms = wall_ms};
        if (service.journaled()) {
            leave(service, old->order, why, change);
        } else {
            if (service.awaited == old->name) {
                service.awaited.clear();
                lose(service, why);
            }
            erase(service, old->order, change);
            if (was_active) promote_next(service, {}, std::move(why), change);
        }
        old = nullptr;
    }
    if (old == nullptr && service.line.size() >= members_max) {
        return refuse(Errc::limit_exceeded,
                      fmt::format("service {} has {} members", family, members_max));
    }

    JoinOrder order;
    if (old != nullptr) {
        order = old->unheard ? take_back(service, old->order, wanted, change) : old->order;
        Member& member = service.line.at(order);
        const Address endpoint = wire::from_endpoint(wanted.endpoint());
        if (member.endpoint != endpoint) {
            member.endpoint = endpoint;
            change.touched.insert(order);
        }
        const Address node = wire::from_endpoint(wanted.node());
        if (member.node != node) {
            member.node = node;
            change.touched.insert(order);
        }
    } else {
        // Another registry's word on the order is taken over; our own past says "to the back".
        const JoinOrder known{wanted.known_order()};
        const bool foreign =
            wanted.known_registry() != 0 && wanted.known_registry() != registry_id_;
        const bool ahead = wanted.known_registry() == registry_id_ &&
                           (known >= service.next_order || restored_);
        const bool keep_place = !service.journaled() && known.value != 0 &&
                                (foreign || ahead || planted(Plant::keeps_place)) &&
                                known.value < std::uint64_t{1} << 62 &&
                                !service.line.contains(known);
        order = keep_place ? known : service.next_order;
        service.next_order = std::max(service.next_order, order.next());
        service.line.emplace(order, Member{.name = wanted.member(),
                                           .agent = add.agent(),
                                           .incarnation = {add.incarnation()},
                                           .endpoint = wire::from_endpoint(wanted.endpoint()),
                                           .order = order,
                                           .role = service.journaled() ? Role::joining
                                                                       : Role::standby,
                                           .epoch = {},
                                           .process = add.process(),
                                           .joined_wall_ms = wall_ms,
                                           .node = wire::from_endpoint(wanted.node())});
        change.touched.insert(order);
    }
    change.told.insert(order);

    if (service.journaled()) {
        join(service, add, service.line.at(order), wall_ms, change);
        return finish(service, change);
    }
    if (service.redundancy() == Redundancy::load_balanced) {
        Member& member = service.line.at(order);
        if (member.role != Role::active) {
            // What this registry has forgotten, or never knew, goes on under its own epoch.
            const Epoch known{wanted.known_epoch()};
            const bool forgotten = (wanted.known_registry() != 0 &&
                                    wanted.known_registry() != registry_id_) ||
                                   known > service.epoch || restored_;
            const bool goes_on = wanted.holds_role() && known.value != 0 && forgotten;
            service.epoch = std::max(service.epoch, known);
            if (!goes_on) service.epoch = service.epoch.next();
            member.role = Role::active;
            member.epoch = goes_on ? known : service.epoch;
            change.touched.insert(order);
        }
        return finish(service, change);
    }

    learn_epoch(service, add, change, wall_ms);
    if (service.active.value == 0 && !service.waits()) {
        promote_next(service, {},
                     {.cause = Cause::first_member,
                      .evidence = service.lost ? "nobody else was in line" : "nobody was active",
                      .previous = {},
                      .wall_ms = wall_ms},
                     change);
    }
    return finish(service, change);
}

/// A member of the backup says for the first time what it is. It may have gone to the back since.
JoinOrder State::take_back(Service& service, JoinOrder order, const pb::Register& wanted,
                           Change& change) {
    auto row = service.line.extract(order);
    Member& member = row.mapped();
    member.unheard = false;
    const JoinOrder known{wanted.known_order()};
    if (!service.journaled() && wanted.known_registry() == registry_id_ && known > order &&
        known.value < std::uint64_t{1} << 62 && !service.line.contains(known)) {
        row.key() = member.order = known;
        service.next_order = std::max(service.next_order, known.next());
    }
    const JoinOrder place = member.order;
    change.touched.insert(place);
    service.line.insert(std::move(row));
    return place;
}

/// Takes in what a joining member knows of epochs that this registry has forgotten, or never saw.
void State::learn_epoch(Service& service, const pb::AddMember& add, Change& change,
                        std::uint64_t wall_ms) {
    const pb::Register& wanted = add.wanted();
    const Epoch known{wanted.known_epoch()};
    if (service.awaited == wanted.member()) service.awaited.clear();
    // Given up, and here all the same: it was not lost.
    if (service.lost && service.lost->member() == wanted.member() &&
        static_cast<Cause>(service.lost->cause()) == Cause::never_returned) {
        service.lost.reset();
    }
    if (planted(Plant::forget_reported_epoch)) return;
    const JoinOrder self = service.find(wanted.member())->order;
    if (known < service.epoch || known.value == 0) return;
    if (known == service.epoch) {
        const bool foreign =
            wanted.known_registry() != 0 && wanted.known_registry() != registry_id_;
        if (!wanted.holds_role() && (foreign || service.unsettled)) {
            return await(service, wanted, change);
        }
        if (!wanted.holds_role() || service.active == self) return;
        if (service.active.value != 0) {
            // Granted by a registry whose data is lost, and by us: nobody keeps this epoch.
            Member& member = service.line.at(service.active);
            return promote(service, member,
                           {.cause = Cause::higher_epoch,
                            .evidence = fmt::format("{} reports that it holds epoch {}, too",
                                                    wanted.member(), known.value),
                            .previous = wanted.member(),
                            .wall_ms = wall_ms},
                           change);
        }
    }

    service.epoch = known;
    change.changed = true;
    if (wanted.holds_role()) {
        return adopt(service, service.line.at(self), known, wall_ms, change);
    }
    const std::string& holder = wanted.known_active();
    const bool knows_another = !holder.empty() && holder != wanted.member();
    if (unconfirmed(service, add) && (knows_another || service.active != self)) {
        return doubt(service, knows_another ? holder : std::string(), change);
    }
    if (service.active.value != 0) {
        // The same member goes on, above the epoch that somebody has already seen elsewhere.
        Member& member = service.line.at(service.active);
        promote(service, member,
                {.cause = Cause::higher_epoch,
                 .evidence = fmt::format("{} reports epoch {}", wanted.member(), known.value),
                 .previous = member.name,
                 .wall_ms = wall_ms},
                change);
        return;
    }
    await(service, wanted, change);
}

/// A healthy active member is not demoted by our forgetfulness.
void State::adopt(Service& service, Member& member, Epoch epoch, std::uint64_t wall_ms,
                  Change& change) {
    if (service.active.value != 0 && service.active != member.order) {
        Member& usurper = service.line.at(service.active);
        usurper.role = Role::standby;
        change.touched.insert(usurper.order);
        change.told.insert(usurper.order);
    }
    member.role = Role::active;
    member.epoch = epoch;
    service.active = member.order;
    service.awaited.clear();
    service.unsettled = false;
    service.lost.reset();
    change.changed = true;
    change.touched.insert(member.order);
    change.told.insert(member.order);
    // Of the backup's own tenure: it has not been promoted anew.
    const bool is_known = !service.story.empty() && service.story.back().epoch() == epoch.value &&
                          service.story.back().member() == member.name;
    if (is_known) return;
    ++service.promotions;
    pb::Promotion& row = service.story.emplace_back();
    row.set_wall_ms(wall_ms);
    row.set_family(service.config.family());
    row.set_epoch(epoch.value);
    row.set_member(member.name);
    row.set_cause(static_cast<std::uint32_t>(Cause::reported));
    row.set_evidence("the member reports that it holds the role");
}

/// Whom we took for the holder has not said so since we started, and others have heard of a higher
/// epoch: our memory is older than that. Empty: they do not say whose it is.
void State::doubt(Service& service, const std::string& holder, Change& change) {
    US_ASSERT(service.active.value != 0);
    Member& believed = service.line.at(service.active);
    believed.role = Role::standby;
    service.active = {};
    service.awaited = holder.empty() ? believed.name : holder;
    service.unsettled = true;
    change.changed = true;
    change.touched.insert(believed.order);
    change.told.insert(believed.order);
}

/// Nobody is promoted over a holder that others know and that is merely slower to come back.
void State::await(Service& service, const pb::Register& wanted, Change& change) {
    const std::string& holder = wanted.known_active();
    if (service.active.value != 0 || holder.empty() || holder == wanted.member()) return;
    const Member* const here = service.find(holder);
    if (here != nullptr && !here->unheard) return;
    service.awaited = holder;
    change.changed = true;
}

Outcome State::on(const pb::RemoveMember& remove, std::uint64_t wall_ms) {
    const auto found = services_.find(remove.family());
    if (found == services_.end()) return {};
    Service& service = found->second;
    const Member* member = service.find(remove.member());
    // Repeated evidence, or a new incarnation has taken the name meanwhile.
    if (member == nullptr || member->incarnation.value != remove.incarnation()) return {};

    Change change;
    const bool was_active = member->order == service.active;
    const std::string previous = member->name;
    if (service.journaled()) {
        leave(service, member->order,
              {.cause = static_cast<Cause>(remove.cause()),
               .evidence = remove.evidence(),
               .previous = previous,
               .noticed_us = remove.noticed_us(),
               .wall_ms = wall_ms},
              change);
        return finish(service, change);
    }
    erase(service, member->order, change);
    if (service.redundancy() != Redundancy::fault_tolerant) return finish(service, change);
    const Why why{.cause = static_cast<Cause>(remove.cause()),
                  .evidence = remove.evidence(),
                  .previous = previous,
                  .noticed_us = remove.noticed_us(),
                  .wall_ms = wall_ms};
    if (was_active) {
        promote_next(service, {remove.suspects().begin(), remove.suspects().end()}, why, change);
    } else if (service.awaited == previous) {
        // It is gone; that others have heard of no holder since is another matter.
        service.awaited.clear();
        lose(service, why);
        if (!service.waits()) promote_next(service, {}, why, change);
    }
    return finish(service, change);
}

Outcome State::on(const pb::HandOver& hand_over, std::uint64_t wall_ms) {
    Outcome refused;
    refused.error = Error{.code = Errc::refused, .detail = {}};
    const auto found = services_.find(hand_over.family());
    if (found == services_.end()) {
        refused.error->detail = "the service is gone";
        return refused;
    }
    Service& service = found->second;
    const Member* from = service.active_member();
    if (service.journaled()) return hand_over_journal(service, hand_over);
    const Member* to = service.find(hand_over.to());
    if (from == nullptr || from->name != hand_over.from() ||
        service.epoch.value != hand_over.epoch()) {
        refused.error->detail = "the active member changed during the switchover";
        return refused;
    }
    if (to == nullptr || to == from) {
        refused.error->detail = fmt::format("{} is no standby of it", hand_over.to());
        return refused;
    }

    Change change;
    const JoinOrder successor = to->order;
    Member leaver = *from;  // Gave its role away: to the back of the line.
    service.line.erase(leaver.order);
    service.active = {};
    leaver.order = service.next_order;
    leaver.role = Role::standby;
    service.next_order = service.next_order.next();
    service.line.emplace(leaver.order, leaver);
    change.touched.insert(leaver.order);
    change.told.insert(leaver.order);
    promote(service, service.line.at(successor),
            {.cause = Cause::switchover,
             .evidence = "asked for",
             .previous = leaver.name,
             .wall_ms = wall_ms},
            change);
    return finish(service, change);
}

Outcome State::on(const pb::RaiseEpoch& raise, std::uint64_t wall_ms) {
    if (planted(Plant::forget_reported_epoch)) return {};
    const auto found = services_.find(raise.family());
    if (found == services_.end()) {
        // Nobody has joined yet: remember the epoch for when somebody does.
        if (services_.size() >= services_max) return {};
        Service service;
        service.config.set_family(raise.family());
        service.config.set_redundancy(static_cast<std::uint32_t>(Redundancy::fault_tolerant));
        service.epoch = Epoch{raise.epoch()};
        service.unsettled = !raise.reporter().empty();
        services_.emplace(raise.family(), std::move(service));
        return {};
    }
    Service& service = found->second;
    // The epochs of a journaled service are its journal's: hearsay raises none.
    if (service.journaled() || raise.epoch() <= service.epoch.value) return {};
    service.epoch = Epoch{raise.epoch()};
    Change change;
    change.changed = true;
    if (service.redundancy() != Redundancy::fault_tolerant) return finish(service, change);
    if (service.active.value == 0) {
        service.unsettled = service.unsettled || !raise.reporter().empty();
    } else if (unconfirmed(service, raise)) {
        doubt(service, {}, change);
    } else {
        Member& member = service.line.at(service.active);
        promote(service, member,
                {.cause = Cause::higher_epoch,
                 .evidence = fmt::format("{} reports epoch {}",
                                         raise.reporter().empty() ? "an agent"
                                                                  : "agent " + raise.reporter(),
                                         raise.epoch()),
                 .previous = member.name,
                 .wall_ms = wall_ms},
                change);
    }
    return finish(service, change);
}

Outcome State::on(const pb::StopWaiting& stop, std::uint64_t wall_ms) {
    if (stop.family().empty()) {
        restored_ = false;
        return {};
    }
    const auto found = services_.find(stop.family());
    if (found == services_.end()) return {};
    Service& service = found->second;
    if (!service.waits() || service.epoch.value != stop.epoch()) return {};
    const std::string awaited = std::exchange(service.awaited, {});
    service.unsettled = false;
    Change change;
    change.changed = true;
    if (service.active.value == 0) {
        promote_next(service, {},
                     {.cause = Cause::never_returned,
                      .evidence = awaited.empty()
                                      ? fmt::format("nobody reported in a lease that it holds "
                                                    "epoch {}",
                                                    service.epoch.value)
                                      : awaited + " was reported active and did not return in a "
                                                  "lease",
                      .previous = awaited,
                      .wall_ms = wall_ms},
                     change);
    }
    return finish(service, change);
}

void State::erase(Service& service, JoinOrder order, Change& change) {
    const auto found = service.line.find(order);
    US_ASSERT(found != service.line.end());
    if (service.active == order) service.active = {};
    change.removed.push_back(std::move(found->second));
    change.touched.erase(order);
    change.told.erase(order);
    service.line.erase(found);
}

void State::promote_next(Service& service, const std::vector<std::string>& suspects, Why why,
                         Change& change) {
    const auto heard = [](const auto& row) { return !row.second.unheard; };
    auto next = std::find_if(service.line.begin(), service.line.end(), [&](const auto& row) {
        return heard(row) && std::find(suspects.begin(), suspects.end(), row.second.name) ==
                                 suspects.end();
    });
    if (next == service.line.end()) {
        next = std::find_if(service.line.begin(), service.line.end(), heard);
    }
    if (next == service.line.end()) return lose(service, why);
    if (planted(Plant::last_in_line)) next = std::prev(service.line.end());
    promote(service, next->second, std::move(why), change);
}

/// Somebody was active, and nobody takes over now: the cause of the next promotion.
void State::lose(Service& service, const Why& why) {
    if (service.lost || why.previous.empty()) return;
    pb::Loss& lost = service.lost.emplace();
    lost.set_member(why.previous);
    lost.set_cause(static_cast<std::uint32_t>(why.cause));
    lost.set_evidence(why.evidence);
    lost.set_noticed_us(why.noticed_us);
}

void State::promote(Service& service, Member& member, Why why, Change& change) {
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
        change.touched.insert(old.order);
        change.told.insert(old.order);
    }
    service.active = member.order;
    service.awaited.clear();
    service.unsettled = false;
    member.role = Role::active;
    member.epoch = service.epoch;
    change.touched.insert(member.order);
    change.told.insert(member.order);

    ++service.promotions;
    pb::Promotion& row = service.story.emplace_back();
    row.set_wall_ms(why.wall_ms);
    row.set_family(service.config.family());
    row.set_epoch(service.epoch.value);
    row.set_member(member.name);
    row.set_previous(why.previous);
    row.set_cause(static_cast<std::uint32_t>(why.cause));
    row.set_evidence(why.evidence);
    row.set_noticed_us(why.noticed_us);
}

/// Standbys carry the service's epoch, so that whoever asks them hears the newest one.
Outcome State::finish(Service& service, Change& change) {
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
            *out.add_joined() = service.to_info(service.line.at(order));
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
        Member member = service.line.at(order);
        if (member.role == Role::standby || service.journaled()) member.epoch = service.epoch;
        outcome.grants.push_back({service.config.family(), std::move(member)});
    }
    return outcome;
}

void State::snapshot(Buffer& out) const {
    pb::RegistryState state;
    state.set_platform(platform_);
    state.set_registry_id(registry_id_);
    state.set_revision(revision_.value);
    state.set_restored(restored_);
    for (const auto& [family, service] : services_) {
        pb::ServiceState& row = *state.add_services();
        *row.mutable_info() = to_info(service);
        row.set_next_order(service.next_order.value);
        for (const pb::Promotion& promotion : service.story) *row.add_story() = promotion;
        if (service.lost) *row.mutable_lost() = *service.lost;
        row.set_unsettled(service.unsettled);
        for (const auto& [place, member] : service.line) {
            if (member.unheard) row.add_unheard(place.value);
        }
        if (!service.journaled()) continue;
        const role::StartOrder::Saved saved = service.start_order->save();
        pb::StartOrderState& order = *row.mutable_start_order();
        order.set_has_checkpoint(saved.has_checkpoint);
        for (const std::string& copy : saved.copies) order.add_copies(copy);
        order.set_active(saved.active);
        order.set_checkpointer(saved.checkpointer);
        order.set_stand_in(saved.stand_in);
        order.set_first_start(saved.first_start);
        order.set_had_checkpointer(saved.had_checkpointer);
        order.set_may_resort(saved.may_resort);
        row.set_holder(service.holder);
        if (service.handing) *row.mutable_handing() = *service.handing;
    }
    const std::size_t start = out.size();
    out.resize(start + state.ByteSizeLong());
    const bool whole =
        state.SerializeToArray(out.data() + start, static_cast<int>(out.size() - start));
    US_ASSERT(whole);
}

Result<void> State::restore(Bytes snapshot) {
    pb::RegistryState state;
    if (!state.ParseFromArray(snapshot.data(), static_cast<int>(snapshot.size()))) {
        return Error{.code = Errc::corrupt, .detail = "registry checkpoint does not parse"};
    }
    load(state);
    return {};
}

void State::load(const pb::RegistryState& state) {
    platform_ = state.platform();
    registry_id_ = state.registry_id();
    revision_ = Revision{state.revision()};
    restored_ = state.restored();
    services_.clear();
    outcomes_.clear();
    for (const pb::ServiceState& row : state.services()) {
        Service service;
        service.config = row.info().config();
        service.epoch = Epoch{row.info().epoch()};
        service.next_order = JoinOrder{row.next_order()};
        service.awaited = row.info().awaited();
        service.revision = row.info().revision();
        service.promotions = row.info().promotions();
        for (const pb::MemberInfo& info : row.info().members()) {
            const JoinOrder order{info.order()};
            if (info.member() == row.info().active()) service.active = order;
            service.line.emplace(order, Member{.name = info.member(),
                                               .agent = info.agent(),
                                               .incarnation = {info.incarnation()},
                                               .endpoint = wire::from_endpoint(info.endpoint()),
                                               .order = order,
                                               .role = static_cast<Role>(info.role()),
                                               .epoch = {info.epoch()},
                                               .process = info.process(),
                                               .joined_wall_ms = info.joined_wall_ms(),
                                               .node = wire::from_endpoint(info.node())});
        }
        for (const std::uint64_t place : row.unheard()) {
            const auto member = service.line.find(JoinOrder{place});
            if (member != service.line.end()) member->second.unheard = true;
        }
        service.unsettled = row.unsettled();
        if (row.has_lost()) service.lost = row.lost();
        if (service.journaled()) restore_start_order(service, row);
        for (const pb::Promotion& promotion : row.story()) service.story.push_back(promotion);
        services_.emplace(service.config.family(), std::move(service));
    }
}

void State::check_invariants() const {
    for (const auto& [family, service] : services_) {
        US_ASSERT(service.config.family() == family);
        US_ASSERT(service.story.size() <= story_max);
        US_ASSERT(service.revision <= revision_.value);
        US_ASSERT(service.journaled() == service.start_order.has_value());
        US_ASSERT(service.journaled() || !service.definition);
        if (service.redundancy() == Redundancy::load_balanced) continue;
        US_ASSERT(service.active.value == 0 || !service.lost);
        if (service.journaled()) {
            service.start_order->check_invariants();
            US_ASSERT(!service.handing || (service.find(service.handing->from()) != nullptr &&
                                           service.find(service.handing->to()) != nullptr));
            US_ASSERT(service.active.value == 0 || service.active_member()->name == service.holder);
            for (const auto& [order, member] : service.line) {
                const role::Designation* said = service.start_order->find(member.name);
                US_ASSERT(said != nullptr);
                US_ASSERT(member.designation == *said);
            }
        }
        std::size_t active = 0;
        for (const auto& [order, member] : service.line) {
            US_ASSERT(member.order == order);
            US_ASSERT(order < service.next_order);
            US_ASSERT(member.epoch <= service.epoch);
            if (member.role == Role::active) {
                ++active;
                US_ASSERT(service.active == order);
                US_ASSERT(member.epoch == service.epoch);
            }
        }
        US_ASSERT(active == (service.active.value == 0 ? 0u : 1u));
        US_ASSERT(!service.waits() || active == 0);
        const bool heard = std::any_of(service.line.begin(), service.line.end(),
                                       [](const auto& row) { return !row.second.unheard; });
        US_ASSERT(active == 1 || !heard || service.waits() || service.journaled());
    }
}

pb::MemberInfo to_info(const Member& member) {
    pb::MemberInfo info;
    info.set_member(member.name);
    info.set_agent(member.agent);
    info.set_incarnation(member.incarnation.value);
    *info.mutable_endpoint() = wire::to_endpoint(member.endpoint);
    info.set_order(member.order.value);
    info.set_role(static_cast<std::uint32_t>(member.role));
    info.set_epoch(member.epoch.value);
    *info.mutable_process() = member.process;
    info.set_joined_wall_ms(member.joined_wall_ms);
    if (member.node.port != 0) *info.mutable_node() = wire::to_endpoint(member.node);
    return info;
}

pb::Designation to_designation(const role::Designation& what) {
    pb::Designation designation;
    designation.set_role(static_cast<std::uint32_t>(what.role));
    designation.set_electable(what.electable);
    designation.set_takes_checkpoints(what.takes_checkpoints);
    return designation;
}

pb::ServiceInfo to_info(const Service& service) {
    pb::ServiceInfo info;
    *info.mutable_config() = service.config;
    info.set_epoch(service.epoch.value);
    if (const Member* active = service.active_member()) info.set_active(active->name);
    for (const auto& [order, member] : service.line) {
        *info.add_members() = service.to_info(member);
    }
    if (service.definition) *info.mutable_definition() = *service.definition;
    info.set_revision(service.revision);
    info.set_promotions(service.promotions);
    info.set_awaited(service.awaited);
    return info;
}

}  // namespace understudy::registry
