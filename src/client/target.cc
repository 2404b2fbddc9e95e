#include "client/target.h"

#include "client/directory.h"
#include "wire/control.h"

namespace understudy::client {

namespace {

[[nodiscard]] Target to_target(const wire::pb::MemberInfo& info) {
    return {info.member(), wire::from_endpoint(info.endpoint())};
}

}  // namespace

std::optional<Target> choose_target(const TargetQuestion& question) {
    if (question.service == nullptr || question.service->members().empty()) return question.hint;
    const wire::pb::ServiceInfo& service = *question.service;
    const auto count = static_cast<std::uint64_t>(service.members_size());

    if (!question.member.empty()) {
        const auto* wanted = find_member(service, question.member);
        return wanted == nullptr ? std::nullopt : std::optional(to_target(*wanted));
    }
    if (service.config().redundancy() == static_cast<std::uint32_t>(Redundancy::load_balanced)) {
        return to_target(
            service.members(static_cast<int>((question.turn + question.failures) % count)));
    }
    if (question.hint) return question.hint;
    const auto* active = find_member(service, service.active());
    if (question.registry_up || question.failures == 0) {
        return active == nullptr ? std::nullopt : std::optional(to_target(*active));
    }
    return to_target(service.members(static_cast<int>(question.failures % count)));
}

}  // namespace understudy::client
