#include "registry/state/journal_election.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/plant.h"
#include "registry/state/definition.h"
#include "wire/definition.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;

namespace {

/// A standby and a checkpointer differ by their designation alone.
[[nodiscard]] Role role_of(const pb::MemberReported& reported) {
    const auto role = static_cast<Role>(reported.role());
    return role == Role::checkpointer ? Role::standby : role;
}

[[nodiscard]] std::string joined_names(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

void designate(Change& change, const role::StartOrder::Changes& changes) {
    for (const role::Designated& one : changes) {
        for (auto& [order, member] : change.service.line) {
            if (member.name != one.member) continue;
            member.designation = one.what;
            change.tell(member);
        }
    }
}

}  // namespace

/// Earlier epochs were not those of its journal.
void JournalElection::begins(Service& service) {
    service.epoch = {};
    service.awaited.clear();
}

void JournalElection::configured(Change& change) {
    const pb::ServiceConfig& config = change.service.config;
    designate(change, start_order_.allow(last_resort_of(config)));
    designate(change, start_order_.choose(checkpointer_of(config)));
}

Result<void> JournalElection::admit(const Service& service, const pb::Register& wanted) const {
    const std::string& member = wanted.member();
    const role::Checkpointer own = checkpointer_of(service.config);
    const role::Checkpointer said = checkpointer_of(wanted.config());
    // A member that says `dedicated` to a defined service may know nothing of this option.
    if (said != own && (!service.definition || said == role::Checkpointer::shared)) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("service {} has checkpointer = {}: member {} says {}",
                                           service.config.family(), name(own), member, name(said))};
    }
    return admit_copy(service, member);
}

Result<void> JournalElection::admit_copy(const Service& service, const std::string& member) const {
    if (service.definition) {
        std::vector<std::string> names;
        for (const pb::ReplicaDefinition& replica : service.definition->replicas()) {
            names.push_back(wire::replica_member(replica.number()));
            if (names.back() == member) return {};
        }
        return Error{.code = Errc::not_found,
                     .detail = fmt::format("service {} has no replica {}; registered are {}",
                                           service.config.family(), member, joined_names(names))};
    }
    const auto& copies = start_order_.copies();
    if (copies.size() >= copies_max && !copies.contains(member)) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("service {} has had {} members by name",
                                           service.config.family(), copies_max)};
    }
    return {};
}

void JournalElection::joined(Change& change, const Platform&, const pb::AddMember& add,
                             Member& member) {
    const pb::Register& wanted = add.wanted();
    if (wanted.has_checkpoint()) start_order_.has_checkpoint();
    if (!change.service.definition) designate(change, start_order_.added(member.name));
    designate(change, start_order_.started(member.name));
    if (!wanted.holds_role()) return;
    pb::MemberReported said;
    said.set_role(static_cast<std::uint32_t>(Role::active));
    said.set_epoch(wanted.known_epoch());
    reported(change, member, said);
}

/// The service has no active member until its journal has elected the next one.
void JournalElection::left(Change& change, JoinOrder order, const Why& why,
                           const std::vector<std::string>&) {
    if (change.service.active == order) change.lose(why);
    change.erase(order);
    designate(change, start_order_.stopped(why.previous));
    end_switchover(change, why.previous);
}

void JournalElection::replaced(Change& change, JoinOrder order, const Why& why) {
    left(change, order, why, {});
}

/// One of the two members of a switchover is gone. If the active one remains, it keeps its role. If
/// the successor remains, it is designated already.
void JournalElection::end_switchover(Change& change, const std::string& gone) {
    if (!switchover_) return;
    const std::string from = switchover_->from();
    if (gone != from && gone != switchover_->to()) return;
    switchover_.reset();
    if (gone != from) designate(change, start_order_.elected(from));
}

/// The journal decides. This only designates the member that may take the role, and the one that
/// gives it up.
Result<void> JournalElection::switched(Change& change, const pb::Switchover& wanted) {
    const Service& service = change.service;
    const Member* from = service.active_member();
    if (from == nullptr || from->name != wanted.from() || service.epoch.value != wanted.epoch()) {
        return Error{.code = Errc::refused,
                     .detail = "the active member changed during the switchover"};
    }
    const bool called_off = wanted.to() == wanted.from();
    if (called_off) {
        if (!std::exchange(switchover_, std::nullopt)) return {};
        change.changed = true;
        designate(change, start_order_.elected(wanted.from()));
        return {};
    }
    const Member* to = service.find(wanted.to());
    if (to == nullptr) {
        return Error{.code = Errc::unavailable, .detail = wanted.to() + " has ended"};
    }
    if (switchover_) {
        return Error{.code = Errc::refused, .detail = "a switchover of it is under way"};
    }
    const bool resort = last_resort_of(service.config) == role::LastResort::allow;
    if (!to->designation->electable && !resort) {
        return Error{
            .code = Errc::refused,
            .detail = fmt::format("{} is the checkpointer, and last_resort = never", wanted.to())};
    }
    change.changed = true;
    switchover_ = wanted;
    designate(change, start_order_.elected(wanted.to()));
    return {};
}

/// An epoch belongs to the member that has reported it first. A lower one is over.
bool JournalElection::may_hold(const Service& service, const Member& member, Epoch epoch) const {
    if (epoch.value == 0) return false;
    if (epoch < service.epoch) return planted(Plant::stale_report_believed);
    return epoch > service.epoch || holder_.empty() || holder_ == member.name;
}

bool JournalElection::is_news(const Service& service, const Member& member,
                              const pb::MemberReported& reported) const {
    if (reported.has_checkpoint() && !start_order_.founded()) return true;
    const bool active = service.active == member.order;
    if (role_of(reported) == Role::active) {
        const Epoch epoch{reported.epoch()};
        return may_hold(service, member, epoch) && !(active && epoch == service.epoch);
    }
    return active || member.role != role_of(reported);
}

void JournalElection::reported(Change& change, Member& member, const pb::MemberReported& reported) {
    Service& service = change.service;
    if (!is_news(service, member, reported)) return;
    if (reported.has_checkpoint()) start_order_.has_checkpoint();
    const Role role = role_of(reported);
    const bool active = service.active == member.order;
    if (role == Role::active) {
        const Epoch epoch{reported.epoch()};
        if (!may_hold(service, member, epoch) || (active && epoch == service.epoch)) return;
        return make_active(change, member, epoch);
    }
    if (active) {
        service.active = {};
        const bool asked = switchover_ && switchover_->from() == member.name;
        change.lose({.cause = asked ? Cause::switchover : Cause::elected,
                     .evidence = asked ? "asked for"
                                       : member.name + " is not active any more, by its journal",
                     .previous = member.name});
    }
    if (member.role == role) return;
    member.role = role;
    member.epoch = {};
    change.touch(member);
}

/// Why this member is active now, as far as the registry knows.
Why JournalElection::take_loss(const Service& service, const Member& member,
                               const std::optional<pb::Switchover>& switchover) const {
    Why why{.cause = service.promotions == 0 ? Cause::first_member : Cause::elected,
            .evidence = fmt::format("{} is active by its journal", member.name)};
    if (service.lost) {
        why.cause = static_cast<Cause>(service.lost->cause());
        why.evidence = fmt::format("{}; {}", service.lost->evidence(), why.evidence);
        why.previous = service.lost->member();
        why.noticed_us = service.lost->noticed_us();
    } else if (service.active.value != 0) {
        why.previous = service.active_member()->name;
    }
    if (switchover && switchover->to() == member.name) {
        why.cause = Cause::switchover;
        why.evidence = "asked for";
        why.previous = switchover->from();
    } else if (switchover) {
        if (why.cause == Cause::switchover) why.cause = Cause::elected;
        why.evidence = fmt::format("during a switchover to {}; {} is active by its journal",
                                   switchover->to(), member.name);
    }
    return why;
}

void JournalElection::make_active(Change& change, Member& member, Epoch epoch) {
    Service& service = change.service;
    // A member that was cut off from the registry and still has its epoch was not promoted.
    const bool is_new = epoch != service.epoch || holder_ != member.name;
    const auto switchover = std::exchange(switchover_, std::nullopt);
    const Why why = take_loss(service, member, switchover);
    if (service.active.value != 0 && service.active != member.order) {
        Member& old = service.line.at(service.active);
        old.role = Role::standby;
        old.epoch = {};
        change.touch(old);
    }
    service.active = member.order;
    service.epoch = std::max(service.epoch, epoch);
    holder_ = member.name;
    service.lost.reset();
    member.role = Role::active;
    member.epoch = service.epoch;
    change.touch(member);
    if (is_new) change.record(member, epoch, why);
    designate(change, start_order_.elected(member.name));
    if (!switchover || switchover->to() != member.name) return;
    const Member* giver = service.find(switchover->from());
    if (giver == nullptr) return;
    start_order_.to_the_back(giver->name);
    change.to_the_back(giver->order);
}

void JournalElection::waited(Change& change) {
    if (start_order_.active().empty()) designate(change, start_order_.waited());
}

void JournalElection::defined(Change&, const std::vector<std::string>& copies) {
    start_order_ = role::StartOrder({.had_checkpoint = start_order_.founded()});
    for (const std::string& copy : copies) (void)start_order_.added(copy);
}

void JournalElection::copy_added(Change& change, const std::string& copy) {
    designate(change, start_order_.added(copy));
}

void JournalElection::copy_removed(Change& change, const std::string& copy) {
    designate(change, start_order_.removed(copy));
    end_switchover(change, copy);
}

/// A switchover that was under way is over. Only the journal knows how it ended.
void JournalElection::forgotten(Service& service) {
    const auto switchover = std::exchange(switchover_, std::nullopt);
    if (!switchover) return;
    (void)start_order_.elected(switchover->from());
    for (auto& [order, member] : service.line) {
        member.designation = *start_order_.find(member.name);
    }
}

Waiting JournalElection::waiting(const Service& service) const {
    if (!start_order_.active().empty()) {
        return {fmt::format("{} is to be active: its journal has not made it so yet",
                            start_order_.active())};
    }
    std::vector<std::string> others;
    for (const std::string& copy : start_order_.copies()) {
        if (service.find(copy) == nullptr) others.push_back(copy);
    }
    const std::string who = others.empty() ? "another copy" : joined_names(others);
    const std::string duty(start_order_.duty());
    if (last_resort_of(service.config) == role::LastResort::allow) {
        return {fmt::format("{} is the checkpointer, and becomes active as the last resort if {} "
                            "does not come soon",
                            duty, who),
                true};
    }
    return {
        fmt::format("nobody may become active: {} is the checkpointer, and last_resort = never; "
                    "start {}",
                    duty, who),
        true};
}

void JournalElection::save(pb::ServiceState& row) const {
    const role::StartOrder::Saved saved = start_order_.save();
    pb::StartOrderState& order = *row.mutable_start_order();
    order.set_has_checkpoint(saved.has_checkpoint);
    for (const std::string& copy : saved.copies) order.add_copies(copy);
    order.set_active(saved.active);
    order.set_checkpointer(saved.checkpointer);
    order.set_stand_in(saved.stand_in);
    order.set_first_start(saved.first_start);
    order.set_had_checkpointer(saved.had_checkpointer);
    order.set_may_resort(saved.may_resort);
    row.set_holder(holder_);
    if (switchover_) *row.mutable_switchover() = *switchover_;
}

void JournalElection::load(Service& service, const pb::ServiceState& row) {
    const pb::StartOrderState& saved = row.start_order();
    std::vector<std::string> line;
    for (const auto& [order, member] : service.line) line.push_back(member.name);
    start_order_ =
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
                                   line);
    for (auto& [order, member] : service.line) {
        member.designation = *start_order_.find(member.name);
        if (member.role == Role::checkpointer) member.role = Role::standby;
    }
    if (row.info().has_definition()) service.definition = row.info().definition();
    holder_ = row.holder();
    if (row.has_switchover()) switchover_ = row.switchover();
    if (const Member* active = service.active_member()) {
        holder_ = active->name;
        service.lost.reset();
    }
}

void JournalElection::check_invariants(const Service& service) const {
    service.check_one_active();
    start_order_.check_invariants();
    US_ASSERT(!switchover_ || (service.find(switchover_->from()) != nullptr &&
                               service.find(switchover_->to()) != nullptr));
    US_ASSERT(service.active.value == 0 || service.active_member()->name == holder_);
    for (const auto& [order, member] : service.line) {
        const role::Designation* said = start_order_.find(member.name);
        US_ASSERT(said != nullptr);
        US_ASSERT(member.designation == *said);
    }
}

}  // namespace understudy::registry
