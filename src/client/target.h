#pragma once

#include <optional>
#include <string>

#include "base/types.h"
#include "wire/control.pb.h"

namespace understudy::client {

/// A member that a proxy tries to connect to.
struct Target {
    std::string member;
    Address endpoint;
    friend bool operator==(const Target&, const Target&) = default;
};

/// What the choice depends on.
struct TargetQuestion {
    const wire::pb::ServiceInfo* service = nullptr;  ///< Null: this service is not known.
    std::string member = {};                         ///< Empty: the active member.
    std::uint64_t turn = 0;                          ///< Directory::turn().
    std::uint64_t failures = 0;       ///< Attempts in a row that found no active member.
    bool registry_up = false;         ///< If so, `service` names the active member.
    std::optional<Target> hint = {};  ///< The active member, as another member has named it.
};

/// Chooses the member to connect to. nullopt: wait for a change.
///
/// The registry names the active member; without it, a hint does. While the registry cannot be
/// reached, every known member is tried in turn: each one knows the active member and names it.
[[nodiscard]] std::optional<Target> choose_target(const TargetQuestion& question);

}  // namespace understudy::client
