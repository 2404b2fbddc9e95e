// The registry's state: its image in a checkpoint and in a backup.

#include <utility>

#include "registry/state/state.h"
#include "wire/control.h"

namespace understudy::registry {

namespace pb = wire::pb;

void State::snapshot(Buffer& out) const {
    pb::RegistryState state;
    state.set_platform(platform_);
    state.set_registry_id(here_.registry_id);
    state.set_revision(revision_.value);
    state.set_restored(here_.restored);
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
        service.election().save(row);
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
    here_ = {.registry_id = state.registry_id(), .restored = state.restored()};
    revision_ = Revision{state.revision()};
    services_.clear();
    outcomes_.clear();
    for (const pb::ServiceState& row : state.services()) {
        Service service(row.info().config());
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
        service.election().load(service, row);
        for (const pb::Promotion& promotion : row.story()) service.story.push_back(promotion);
        services_.emplace(service.config.family(), std::move(service));
    }
}

}  // namespace understudy::registry
