#include "library/records/service_view.h"

#include <algorithm>

#include "wire/control.h"

namespace understudy::library {

namespace {

// A newer registry may use roles that are unknown here; a member with such a role does not answer.
[[nodiscard]] Role to_role(std::uint32_t role) {
    const bool known = role <= static_cast<std::uint32_t>(Role::checkpointer);
    return known ? static_cast<Role>(role) : Role::joining;
}

}  // namespace

ServiceStatus to_status(const std::string& family, const wire::pb::ServiceInfo* info) {
    ServiceStatus status;
    status.family = family;
    if (info == nullptr) return status;
    for (const Redundancy known : {Redundancy::load_balanced, Redundancy::journaled}) {
        if (info->config().redundancy() == static_cast<std::uint32_t>(known)) {
            status.redundancy = known;
        }
    }
    status.epoch = Epoch{info->epoch()};
    status.active = info->active();
    for (const wire::pb::MemberInfo& member : info->members()) {
        status.members.push_back({.name = member.member(),
                                  .agent = member.agent(),
                                  .endpoint = to_string(wire::from_endpoint(member.endpoint())),
                                  .order = member.order(),
                                  .role = to_role(member.role()),
                                  .epoch = Epoch{member.epoch()},
                                  .pid = member.process().pid()});
    }
    return status;
}

bool has_active(const ServiceStatus& service) {
    return std::any_of(service.members.begin(), service.members.end(),
                       [](const MemberStatus& member) { return member.role == Role::active; });
}

}  // namespace understudy::library
