#include "registry/agents/reports.h"

#include "registry/time.h"
#include "understudy/limits.h"

namespace understudy::registry {

namespace pb = wire::pb;

namespace {

constexpr Duration report_retry = 500ms;

}  // namespace

bool Reports::heard(Turn& turn, pb::MemberReport report) {
    const Member* member = state_.find(report.family(), report.member());
    US_ASSERT(member != nullptr);
    if (!member->designation || report.role() > static_cast<std::uint32_t>(Role::checkpointer) ||
        report.epoch() >= epoch_max) {
        return false;
    }
    if (report.detail().size() > detail_max) report.mutable_detail()->resize(detail_max);
    const Key key{report.family(), report.member()};
    Row& row = rows_[key];
    row.said = std::move(report);
    row.heard = turn.now;
    consider(turn, key, row);
    return true;
}

void Reports::consider(Turn& turn, const Key& key, Row& row) {
    if (row.proposed || turn.now < row.retry) return;
    const Service* service = state_.find(key.first);
    const Member* member = service == nullptr ? nullptr : service->find(key.second);
    if (member == nullptr) return;
    pb::RegistryCommand command;
    pb::MemberReported& reported = *command.mutable_report();
    reported.set_family(key.first);
    reported.set_member(key.second);
    reported.set_incarnation(member->incarnation.value);
    reported.set_role(row.said.role());
    reported.set_epoch(row.said.epoch());
    reported.set_has_checkpoint(row.said.has_checkpoint());
    if (!service->election().is_news(*service, *member, reported)) return;
    row.proposed = true;
    const bool promotes = static_cast<Role>(row.said.role()) == Role::active;
    turn.propose({.kind = Proposal::Kind::report,
                  .agent = member->incarnation,
                  .family = key.first,
                  .member = key.second,
                  .since = row.heard},
                 std::move(command), promotes ? Urgency::urgent : Urgency::usual);
}

void Reports::settled(Turn& turn, const Proposal& proposal) {
    const auto found = rows_.find({proposal.family, proposal.member});
    if (found == rows_.end()) return;
    found->second.proposed = false;
    found->second.retry = {};
    consider(turn, found->first, found->second);
}

void Reports::refused(const Proposal& proposal, TimePoint now) {
    const auto found = rows_.find({proposal.family, proposal.member});
    if (found == rows_.end()) return;
    found->second.proposed = false;
    found->second.retry = now + report_retry;
}

void Reports::tick(Turn& turn) {
    for (auto& [key, row] : rows_) {
        if (row.retry == TimePoint() || turn.now < row.retry) continue;
        row.retry = {};
        consider(turn, key, row);
    }
}

void Reports::forget(const std::string& family, const std::string& member) {
    rows_.erase({family, member});
}

std::optional<std::uint64_t> Reports::applied(const std::string& family,
                                              const std::string& member) const {
    const auto found = rows_.find({family, member});
    if (found == rows_.end()) return std::nullopt;
    return found->second.said.applied();
}

void Reports::add_positions(TimePoint now, pb::LookupAnswer& lookup) const {
    for (pb::ServiceInfo& service : *lookup.mutable_services()) {
        for (pb::MemberInfo& member : *service.mutable_members()) {
            const auto row = rows_.find({service.config().family(), member.member()});
            if (row == rows_.end()) continue;
            const pb::MemberReport& said = row->second.said;
            pb::MemberPosition& position = *member.mutable_position();
            position.set_applied(said.applied());
            position.set_committed(said.committed());
            position.set_checkpoint(said.checkpoint());
            position.set_checkpoint_age_ms(said.checkpoint_age_ms());
            position.set_detail(said.detail());
            position.set_epoch(said.epoch());
            position.set_has_checkpoint(said.has_checkpoint());
            position.set_heard_ms(to_ms(now - row->second.heard));
        }
    }
}

}  // namespace understudy::registry
