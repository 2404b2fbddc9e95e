#pragma once

#include <string>

#include "apps/exit.h"

namespace understudy::apps::demo {

// The two programs of the fault-tolerant hello world, written against the public API alone.

inline constexpr char family[] = "Foo";
inline constexpr char record_name[] = "HelloWorld";
inline constexpr char field_name[] = "a message";

/// A member of the service: prints MASTER or STANDBY whenever its role is that. Runs for ever.
[[nodiscard]] Result<Exit> run_member(const std::string& registry, const std::string& member);

/// A client of the service: prints the message of whoever is active. Runs for ever.
///
/// Notes what it sees on Child::notes_descriptor, with the monotonic clock: "lost NS" when its
/// member is gone, "found NS" when a message is there.
[[nodiscard]] Result<Exit> run_client(const std::string& registry);

}  // namespace understudy::apps::demo
