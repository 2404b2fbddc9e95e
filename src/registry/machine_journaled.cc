// The registry's machine: services whose journal says who is active.

#include <utility>

#include "registry/definition.h"
#include "registry/machine_turn.h"
#include "registry/validate.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

void Machine::on(Turn& turn, SessionId id, pb::MemberReport report) {
    const Session& session = sessions_.at(id);
    const Service* service = state_.find(report.family());
    const Member* member = service == nullptr ? nullptr : service->find(report.member());
    // It says so again when it is registered.
    if (member == nullptr || member->incarnation != session.incarnation) return;
    if (!service->journaled() || report.role() > static_cast<std::uint32_t>(Role::checkpointer) ||
        report.epoch() >= epoch_max) {
        log_.warn("registry.report_ignored",
                  {kv("service", report.family()), kv("member", report.member()),
                   kv("role", report.role()), kv("epoch", report.epoch())});
        return;
    }
    if (report.detail().size() > detail_max) report.mutable_detail()->resize(detail_max);
    Key key{report.family(), report.member()};
    Reported& row = reported_[key];
    row.said = std::move(report);
    row.heard = turn.now;
    consider_report(turn, key);
    advance_journaled(turn, key.first);
}

/// Positions stay here; a role, an epoch or the first checkpoint is written down.
void Machine::consider_report(Turn& turn, const Key& key) {
    const auto row = reported_.find(key);
    if (row == reported_.end() || row->second.proposed || turn.now < row->second.retry) return;
    const Service* service = state_.find(key.first);
    const Member* member = service == nullptr ? nullptr : service->find(key.second);
    if (member == nullptr) return;
    const pb::MemberReport& said = row->second.said;
    pb::RegistryCommand command;
    pb::MemberReported& reported = *command.mutable_report();
    reported.set_family(key.first);
    reported.set_member(key.second);
    reported.set_incarnation(member->incarnation.value);
    reported.set_role(said.role());
    reported.set_epoch(said.epoch());
    reported.set_has_checkpoint(said.has_checkpoint());
    if (!is_news(*service, *member, reported)) return;
    row->second.proposed = true;
    propose(turn,
            {.kind = Pending::Kind::report,
             .session = {},
             .agent = member->incarnation,
             .family = key.first,
             .member = key.second,
             .since = row->second.heard},
            std::move(command), static_cast<Role>(said.role()) == Role::active);
}

/// It may have said more meanwhile.
void Machine::settle_report(Turn& turn, const Pending& pending, TimePoint retry) {
    const Key key{pending.family, pending.member};
    const auto row = reported_.find(key);
    if (row == reported_.end()) return;
    row->second.proposed = false;
    row->second.retry = retry;
    consider_report(turn, key);
}

void Machine::ask_definition(Turn& turn, SessionId id, std::uint64_t request,
                             const pb::DefinitionAsk& ask) {
    if (auto valid = check(ask); !valid) return fail(turn, id, request, valid.error());
    pb::RegistryCommand command;
    *command.mutable_definition() = ask;
    std::string family = ask.has_define()   ? ask.define().family()
                         : ask.has_add()    ? ask.add().family()
                         : ask.has_remove() ? ask.remove().family()
                                            : ask.undefine().family();
    propose(turn,
            {.kind = Pending::Kind::define,
             .session = id,
             .request = request,
             .agent = {},
             .family = std::move(family),
             .member = {},
             .since = turn.now},
            std::move(command), false);
}

/// After a full stop the first to start is the checkpointer. If nobody else comes, the last resort.
void Machine::arm_last_resort(TimePoint now, const std::string& family) {
    const Service* service = state_.find(family);
    const bool waits = service != nullptr && service->journaled() &&
                       service->config.last_resort() == 1 && !service->line.empty() &&
                       service->start_order->active().empty();
    if (waits) {
        resorts_.emplace(family, now + options_.last_resort_wait);
    } else {
        resorts_.erase(family);
    }
}

void Machine::tick_journaled(Turn& turn) {
    for (auto resort = resorts_.begin(); resort != resorts_.end();) {
        const auto current = resort++;
        if (turn.now < current->second) continue;
        const std::string family = current->first;
        resorts_.erase(current);
        pb::RegistryCommand command;
        command.mutable_last_resort()->set_family(family);
        propose(turn,
                {.kind = Pending::Kind::last_resort,
                 .session = {},
                 .agent = {},
                 .family = family,
                 .member = {},
                 .since = turn.now},
                std::move(command), true);
    }
    for (auto& [key, row] : reported_) {
        if (row.retry == TimePoint() || turn.now < row.retry) continue;
        row.retry = {};
        consider_report(turn, key);
    }
}

void Machine::add_positions(TimePoint now, pb::LookupAnswer& lookup) const {
    for (pb::ServiceInfo& service : *lookup.mutable_services()) {
        for (pb::MemberInfo& member : *service.mutable_members()) {
            const auto row = reported_.find({service.config().family(), member.member()});
            if (row == reported_.end()) continue;
            const pb::MemberReport& said = row->second.said;
            pb::MemberPosition& position = *member.mutable_position();
            position.set_applied(said.applied());
            position.set_committed(said.committed());
            position.set_checkpoint(said.checkpoint());
            position.set_checkpoint_age_ms(said.checkpoint_age_ms());
            position.set_detail(said.detail());
            position.set_epoch(said.epoch());
            position.set_has_checkpoint(said.has_checkpoint());
            position.set_heard_ms(static_cast<std::uint64_t>(
                std::chrono::duration_cast<std::chrono::milliseconds>(now - row->second.heard)
                    .count()));
        }
    }
}

}  // namespace understudy::registry
