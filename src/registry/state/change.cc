#include "registry/state/change.h"

#include <utility>

namespace understudy::registry {

namespace pb = wire::pb;

void Change::tell(const Member& member) {
    touched.insert(member.order);
    told.insert(member.order);
}

void Change::erase(JoinOrder order) {
    const auto found = service.line.find(order);
    US_ASSERT(found != service.line.end());
    if (service.active == order) service.active = {};
    removed.push_back(std::move(found->second));
    touched.erase(order);
    told.erase(order);
    service.line.erase(found);
}

Member& Change::to_the_back(JoinOrder order) {
    auto row = service.line.extract(order);
    US_ASSERT(!row.empty());
    touched.erase(order);
    told.erase(order);
    row.key() = row.mapped().order = service.next_order;
    service.next_order = service.next_order.next();
    tell(row.mapped());
    return service.line.insert(std::move(row)).position->second;
}

void Change::lose(const Why& why) {
    pb::Loss& lost = service.lost.emplace();
    lost.set_member(why.previous);
    lost.set_cause(static_cast<std::uint32_t>(why.cause));
    lost.set_evidence(why.evidence);
    lost.set_noticed_us(why.noticed_us);
}

void Change::record(const Member& member, Epoch epoch, const Why& why) {
    ++service.promotions;
    pb::Promotion& row = service.story.emplace_back();
    row.set_wall_ms(wall_ms);
    row.set_family(service.config.family());
    row.set_epoch(epoch.value);
    row.set_member(member.name);
    row.set_previous(why.previous);
    row.set_cause(static_cast<std::uint32_t>(why.cause));
    row.set_evidence(why.evidence);
    row.set_noticed_us(why.noticed_us);
}

}  // namespace understudy::registry
