#pragma once

#include <optional>
#include <string>

#include "base/types.h"
#include "wire/control.pb.h"

namespace understudy::client {

/// Where a proxy tries next.
struct Target {
    std::string member;
    Address endpoint;
    friend bool operator==(const Target&, const Target&) = default;
};

/// What the choice depends on.
struct TargetQuestion {
    const wire::pb::ServiceInfo* service =
        nullptr;                      ///< Null: the registry knows none, or we nothing.
    std::string member = {};          ///< Empty: whoever is active.
    std::uint64_t turn = 0;           ///< Spreads load-balanced clients.
    std::uint64_t failures = 0;       ///< Attempts in a row that led to nobody active.
    bool registry_up = false;         ///< Then its word on who is active is fresh.
    std::optional<Target> hint = {};  ///< A member said who is active, and nobody knows better.
};

/// Chooses the member to connect to; nullopt: wait for news.
///
/// The registry's word comes first, then a member's hint. While the registry is away every known
/// member is asked in turn: each knows who is active and says so.
[[nodiscard]] std::optional<Target> choose_target(const TargetQuestion& question);

}  // namespace understudy::client
