#include "registry/answers.h"

namespace understudy::registry {

namespace pb = wire::pb;

void fill_lookup(const State& state, const std::string& family, pb::LookupAnswer& answer) {
    answer.set_revision(state.revision().value);
    const auto add = [&](const Service& service) {
        pb::ServiceInfo& info = *answer.add_services() = to_info(service);
        info.set_waiting(waiting_of(service).what);
    };
    if (family.empty()) {
        for (const auto& [name, service] : state.services()) add(service);
    } else if (const Service* service = state.find(family)) {
        add(*service);
    }
}

void fill_platform(const State& state, pb::PlatformInfo& info) {
    info.set_platform(state.platform());
    info.set_registry_id(state.registry_id());
    info.set_revision(state.revision().value);
    info.set_services(state.services().size());
    std::uint64_t members = 0;
    for (const auto& [family, service] : state.services()) members += service.line.size();
    info.set_members(members);
}

}  // namespace understudy::registry
