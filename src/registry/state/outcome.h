#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "registry/state/service.h"

namespace understudy::registry {

/// A member that has to be told its role.
struct Grant {
    std::string family;
    Member member;
};

[[nodiscard]] Grant grant_of(const Service& service, const Member& member);

/// What one command did.
struct Outcome {
    std::optional<Error> error;  ///< Refused; nothing changed.
    std::optional<wire::pb::WatchChange> change;
    std::vector<Grant> grants;
    std::vector<Member> removed;
};

/// A command that has been applied.
struct Applied {
    Index index;              ///< Of its entry.
    std::uint32_t place = 0;  ///< In that.
    friend auto operator<=>(const Applied&, const Applied&) = default;

    /// From what apply() replied. Errors: corrupt (none).
    [[nodiscard]] static Result<Applied> from(Index index, Bytes reply);
};

}  // namespace understudy::registry
